"""This master and an agent of an older release: recorded bytes of that agent over the real session port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from agent.identity import keys
from agent.identity.files import Identity
from master import kinds
from master.dispatch.nodes import CALLER
from master.kinds.core.pod.container import Container, SecurityContext
from master.kinds.core.pod.model import Pod, PodSpec
from master.objects.meta import ObjectMeta
from master.pki import Pki
from proto.gen import session_pb2
from tests.fakes.sessions import CLUSTER_ID, MasterEnd, master_end
from tests.unit.proto.test_recorded import RECORDED

pytestmark = pytest.mark.timeout(30)

FIRST = json.loads((RECORDED / "version-1.json").read_text())


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


def recorded(name: str, session_id: str) -> bytes:
    """The bytes of a recorded message, with the recorded session id replaced by the current one."""
    raw, old, new = bytes.fromhex(FIRST[f"{name}/0"]["hex"]), b"\x0csession_id-0", session_id.encode()
    assert raw.count(old) == 1
    return raw.replace(old, bytes((len(new),)) + new)


def hello(machine_address: str = "10.0.0.1") -> bytes:
    """A Hello as the first release sent it: with one version, and without the CAs that it trusts."""
    request = session_pb2.HelloRequest.FromString(bytes.fromhex(FIRST["HelloRequest/0"]["hex"]))
    assert request.highest_protocol_version == 0 and not request.trusted
    request.cluster_id = CLUSTER_ID
    request.node.address = machine_address
    request.node.labels.clear()
    return request.SerializeToString()


@asynccontextmanager
async def connection(identity: Identity) -> AsyncIterator[Any]:
    """A channel for calls in raw bytes, independent of this release's client."""
    credentials = grpc.ssl_channel_credentials(
        identity.ca.encode(), identity.key.encode(), identity.certificate.encode()
    )
    async with grpc.aio.secure_channel(identity.session_address, credentials) as channel:
        yield channel


async def test_an_agent_of_the_first_version_is_served(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    async with connection(identity) as channel:
        raw = await channel.unary_unary("/sampan.Master/Hello")(hello(), timeout=5)
        reply = session_pb2.HelloReply.FromString(raw)
        assert reply.protocol_version == 1, "the agent would refuse any other"
        assert not reply.ca and not reply.renew, "it would not know them"
        session = reply.session_id
        request = session_pb2.HeartbeatRequest.FromString(recorded("HeartbeatRequest", session))
        request.conditions[0].status = "True"  # the recorded status is not one of Kubernetes
        beat = await channel.unary_unary("/sampan.Master/Heartbeat")(request.SerializeToString(), timeout=5)
        assert session_pb2.HeartbeatReply.FromString(beat).periods.next_heartbeat_ms
        report = await channel.unary_unary("/sampan.Master/ReportPods")(recorded("PodReport", session), timeout=5)
        assert list(session_pb2.PodReportReply.FromString(report).unknown) == ["uid-0"]
        desired = channel.unary_stream("/sampan.Master/Desired")(recorded("DesiredRequest", session))
        first = session_pb2.DesiredMessage.FromString(await desired.read())
        assert first.cut.snapshot and first.cut.node.pod_cidr == "10.244.0.0/24"
    assert master.node("node-1").status.node_info.machine_id == "machine_id-0"


@pytest.mark.parametrize("reports", [True, False])
async def test_the_usage_that_an_agent_of_the_first_version_reports_is_kept(master: MasterEnd, reports: bool) -> None:
    identity = await master.identity("node-1")
    async with connection(identity) as channel:
        raw = await channel.unary_unary("/sampan.Master/Hello")(hello(), timeout=5)
        session = session_pb2.HelloReply.FromString(raw).session_id
        request = session_pb2.HeartbeatRequest.FromString(recorded("HeartbeatRequest", session))
        request.conditions[0].status = "True"
        recorded_usage = request.usage.cpu_millis, request.usage.memory_bytes
        assert all(recorded_usage)
        if not reports:
            request.ClearField("usage")
        for _ in range(2):
            await master.clock.advance(0.75)
            await channel.unary_unary("/sampan.Master/Heartbeat")(request.SerializeToString(), timeout=5)
    usage = master.sessions.usage("node-1")
    if not reports:
        assert usage is None
    else:
        assert usage is not None and usage.window_s == 0.75
        assert (usage.cpu_millis, usage.memory_bytes) == recorded_usage


async def test_an_agent_of_the_first_version_renews_its_certificate(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    request = session_pb2.RenewRequest(csr=keys.make_request(keys.make_key(), "node-1"))
    async with connection(identity) as channel:
        await channel.unary_unary("/sampan.Master/Hello")(hello(), timeout=5)
        raw = await channel.unary_unary("/sampan.Master/RenewCertificate")(request.SerializeToString(), timeout=5)
    assert "BEGIN CERTIFICATE" in session_pb2.RenewReply.FromString(raw).certificate


@pytest.mark.parametrize(("highest", "starts"), [(0, False), (2, False), (3, True)])
async def test_a_pod_with_settings_that_the_agent_would_ignore_does_not_start_there(
    master: MasterEnd, highest: int, starts: bool
) -> None:
    app = Container(name="app", image="web:1", security_context=SecurityContext(run_as_non_root=True))
    pod = Pod(metadata=ObjectMeta(name="web"), spec=PodSpec(node_name="node-1", containers=(app,)))
    await master.resources.create(CALLER, kinds.POD, pod, namespace="default")
    request = session_pb2.HelloRequest.FromString(hello())
    request.highest_protocol_version = highest
    async with connection(await master.identity("node-1")) as channel:
        raw = await channel.unary_unary("/sampan.Master/Hello")(request.SerializeToString(), timeout=5)
        session = session_pb2.HelloReply.FromString(raw).session_id
        desired = channel.unary_stream("/sampan.Master/Desired")(recorded("DesiredRequest", session))
        cut = session_pb2.DesiredMessage.FromString(await desired.read()).cut
    (sent,) = cut.pods
    added = [volume.name for volume in sent.volumes if not volume.HasField("projected")]
    assert added == ([] if starts else ["upgrade-the-agent"])


@pytest.mark.parametrize("trusted", [["f"] * 17, ["f" * 65]], ids=["too many", "too long"])
async def test_the_number_of_trusted_cas_is_limited(master: MasterEnd, trusted: list[str]) -> None:
    request = session_pb2.HelloRequest.FromString(hello())
    request.highest_protocol_version, request.trusted[:] = 2, trusted
    async with connection(await master.identity("node-1")) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="trusted: more than"):
            await channel.unary_unary("/sampan.Master/Hello")(request.SerializeToString(), timeout=5)


@pytest.mark.parametrize(
    ("lowest", "highest", "says"),
    [
        pytest.param(4, 5, r"agent speaks versions 4 to 5 .* master versions 1 to 3; upgrade the master", id="newer"),
        pytest.param(0, 0, r"agent speaks version 0 .* upgrade the agent", id="older"),
    ],
)
async def test_without_a_common_version_the_error_says_which_side_is_older(
    master: MasterEnd, lowest: int, highest: int, says: str
) -> None:
    request = session_pb2.HelloRequest.FromString(hello())
    request.protocol_version, request.highest_protocol_version = lowest, highest
    async with connection(await master.identity("node-1")) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=says) as refused:
            await channel.unary_unary("/sampan.Master/Hello")(request.SerializeToString(), timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
