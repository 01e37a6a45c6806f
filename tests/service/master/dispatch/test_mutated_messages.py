"""Valid messages with random changes of their bytes: each gets a reply, and no other node is harmed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from master import kinds
from proto.gen import observed_pb2, session_pb2
from tests.fakes.hostile import Bystander, RawPeer, hello, mutated
from tests.fakes.hostile_messages import changed, pod_status, uid
from tests.fakes.sessions import MasterEnd


def _valid(session: str, web: str) -> list[tuple[str, bytes]]:
    """A valid message of each kind with every field set."""
    moment = Timestamp(seconds=1_700_000_000, nanos=5)
    condition = observed_pb2.Condition(
        type="Ready", status="True", reason="R", message="m", last_transition_time=moment
    )
    status = pod_status(uid=web, reason="r", message="m", host_ip="10.0.0.66", pod_ip="10.244.1.9")
    status.conditions.append(condition)
    status.start_time.CopyFrom(moment)
    changed(status.container_statuses[0], state__running__started_at__seconds=1_700_000_000, container_id="docker://1")
    event = observed_pb2.Event(
        kind="Pod", namespace="default", name="web", uid=web, type="Warning", reason="R", message="m", time=moment
    )
    capacity = observed_pb2.Capacity(cpu_millis=1000, memory_bytes=1 << 30, ephemeral_storage_bytes=5, pods=10)
    beat = session_pb2.HeartbeatRequest(
        session_id=session, capacity=capacity, applied_revision=5, conditions=[condition]
    )
    used = observed_pb2.ContainerUsage(name="main", cpu_nano_cores=5, memory_bytes=6, window_ms=7)
    beat.pod_usages.CopyFrom(observed_pb2.PodUsages(pods=[observed_pb2.PodUsage(uid=web, containers=[used])], age_ms=8))
    return [
        ("Hello", hello().SerializeToString()),
        ("Heartbeat", beat.SerializeToString()),
        ("ReportPods", session_pb2.PodReport(session_id=session, pods=[status]).SerializeToString()),
        ("ReportEvents", session_pb2.EventReport(session_id=session, events=[event]).SerializeToString()),
        ("ReportLeft", session_pb2.LeftReport(session_id=session).SerializeToString()),
        ("Desired", session_pb2.DesiredRequest(session_id=session).SerializeToString()),
    ]


@pytest.mark.timeout(900)
async def test_mutated_messages_get_a_reply_and_harm_no_other_node(
    master: MasterEnd,
    other: Bystander,
    peer: RawPeer,
    caplog: pytest.LogCaptureFixture,
    pytestconfig: pytest.Config,
) -> None:
    """Every reply has a status of the contract, only valid objects are stored, and the other node is not disturbed."""
    rounds = 20_000 if pytestconfig.getoption("--long", default=False) else 4000
    seed = pytestconfig.getoption("--seed", default=None) or 20261121
    chance = random.Random(seed)
    known = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "ALREADY_EXISTS"}
    caplog.clear()
    good: list[tuple[str, bytes]] = []
    for number in range(rounds):
        if number % 50 == 0:
            good = _valid(await peer.hello(), uid(master, "web"))
        method, message = chance.choice(good)
        raw = mutated(message, chance)
        call: Callable[[str, bytes], Any] = peer.first_of if method == "Desired" else peer.call
        status, why = await call(method, raw)
        assert status in known, (seed, number, method, raw, status, why)
    assert not [record for record in caplog.records if record.exc_info], caplog.text[:5000]
    assert len(caplog.records) < 3 * rounds / 50 + 200, "the log is limited"
    for name in ("web", "theirs"):
        pod = master.cache.get(kinds.POD, "default", name)
        assert pod is not None and pod.status.phase in ("Pending", "Running", "Succeeded", "Failed")
    other.check(ignore=("nodeaddress", "pods/default/web"))
