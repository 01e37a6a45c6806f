"""Master and agent over real gRPC and TLS on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from agent import model, statuses
from agent.session.channel import Master
from agent.session.errors import Refused, Stale
from agent.usage.figures import Cgroup, ContainerUsage, PodUsage, Snapshot
from agent.usage.targets import ContainerTarget, PodTarget
from master import kinds
from master.api import usages
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.volume import SecretVolumeSource, Volume
from master.kinds.core.secret import Secret
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.registry.resource import Resource
from proto import contract
from proto.gen import observed_pb2, session_pb2
from tests.fakes.sessions import CALLER, CLUSTER_ID, GRACE_S, AgentEnd, MasterEnd, master_end, prepare_pki, until

pytestmark = pytest.mark.timeout(30)


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


def web_pod(name: str, node: str, **spec: object) -> Pod:
    containers = (Container(name="app", image="app:1"),)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodSpec(containers=containers, node_name=node, **spec),  # type: ignore[arg-type]
    )


async def create(master: MasterEnd, kind: Resource, obj: object) -> object:  # type: ignore[type-arg]
    return await master.resources.create(CALLER, kind, obj, namespace="default")


def _hello(*, machine: str = "machine-1", address: str = "10.0.0.1") -> session_pb2.HelloRequest:
    return session_pb2.HelloRequest(
        protocol_version=contract.PROTOCOL_VERSION,
        cluster_id=CLUSTER_ID,
        node=observed_pb2.NodeInfo(machine_id=machine, address=address),
        capacity=observed_pb2.Capacity(cpu_millis=1000, memory_bytes=1 << 30, pods=10),
    )


def _request(key: str) -> str:
    from agent.identity import keys

    return keys.make_request(key, "node-1")


async def test_a_joined_agent_becomes_a_ready_node(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        node = master.node("node-1")
        assert node.spec.pod_cidr == "10.244.0.0/24"
        assert {address.type: address.address for address in node.status.addresses} == {
            "InternalIP": "10.0.0.1",
            "Hostname": "node-1",
        }
        assert node.status.capacity == {"cpu": "2", "memory": "4Gi", "pods": "110", "ephemeral-storage": "0"}
        assert node.metadata.labels["kubernetes.io/hostname"] == "node-1"
        await until(lambda: agent.desired.complete)
        own = agent.desired.network_settings(node_name="node-1", state_dir=tmp_path)
        assert own is not None and str(own.pod_cidr) == "10.244.0.0/24"


async def test_a_host_with_a_new_address_reports_it_and_stays_the_same_machine(
    master: MasterEnd, tmp_path: Path
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        agent.machine.info = replace(agent.machine.info, address="10.0.0.2")
        await until(lambda: "10.0.0.2" in {address.address for address in master.node("node-1").status.addresses})
        await until(lambda: master.ready("node-1") == "True")


async def test_a_pod_arrives_with_only_the_secret_that_it_references(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    for name in ("referenced", "other"):
        await create(
            master, kinds.SECRET, Secret(metadata=ObjectMeta(name=name, namespace="default"), data={"k": "dg=="})
        )
    async with agent.running():
        await until(lambda: agent.desired.complete)
        volume = Volume(name="v", secret=SecretVolumeSource(secret_name="referenced"))
        pod = await create(master, kinds.POD, web_pod("web", "node-1", volumes=(volume,)))
        uid = pod.metadata.uid  # type: ignore[attr-defined]
        await until(lambda: agent.desired.ref(uid))
        assert {ref.name for ref in agent.desired.for_pods().secrets} == {"referenced"}


async def test_statuses_are_committed_and_a_removal_report_ends_a_deleted_pod(
    master: MasterEnd, tmp_path: Path
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        pod = await create(master, kinds.POD, web_pod("web", "node-1"))
        uid = model.PodUid(pod.metadata.uid)  # type: ignore[attr-defined]
        await until(lambda: agent.desired.ref(uid))
        running = statuses.PodStatus(
            uid, "default", "web", phase=model.PodPhase.RUNNING, pod_ip="10.244.0.5", host_ip="10.0.0.1"
        )
        agent.reports.report(running)

        def status() -> object:
            pod = master.cache.get(kinds.POD, "default", "web")
            return pod and pod.status.pod_ip == "10.244.0.5" and pod.status.phase == "Running"

        await until(status)
        await master.resources.delete(CALLER, kinds.POD, "default", "web", grace_period_s=5)
        await until(lambda: agent.desired.for_pods().pods[uid].deleted)
        agent.reports.report(replace(running, removed=True))
        await until(lambda: master.cache.get(kinds.POD, "default", "web") is None)
        await until(lambda: agent.desired.ref(uid) is None)


async def test_reports_of_another_nodes_pod_change_nothing(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        pod = await create(master, kinds.POD, web_pod("web", "node-2"))
        agent.reports.report(statuses.PodStatus(model.PodUid(pod.metadata.uid), "default", "web", pod_ip="10.9.9.9"))  # type: ignore[attr-defined]
        await until(lambda: not agent.reports.pods_waiting.is_set())
        agent.reports.report(statuses.PodStatus(model.PodUid("gone"), "default", "gone"))
        await until(lambda: not agent.reports.pods_waiting.is_set())
        pod = master.cache.get(kinds.POD, "default", "web")
        assert pod is not None
        assert pod.status.pod_ip == ""


async def test_events_reach_the_api(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        agent.reports.event(
            statuses.Event("Node", "", "node-1", "", "NetworkMended", "a rule was missing", 1e9, warning=True)
        )
        (event,) = await until(lambda: master.cache.list(kinds.EVENT))
        assert (event.reason, event.type, event.source.host) == ("NetworkMended", "Warning", "node-1")


async def test_a_session_that_the_master_ends_is_followed_by_a_new_one(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        first = await until(lambda: master.sessions.current("node-1"))
        await until(lambda: agent.desired.complete)
        agent.desired.complete = False
        master.sessions.end_session("node-1", "silent for too long")
        second = await until(lambda: master.sessions.current("node-1"))
        assert second.id != first.id
        await until(lambda: agent.desired.complete)


async def test_calls_of_a_stale_session_are_refused(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    hello = _hello()
    async with Master(identity) as first, Master(identity) as second:
        old = await first.hello(hello, 5)
        await second.hello(hello, 5)
        for call in (
            first.heartbeat(session_pb2.HeartbeatRequest(session_id=old.session_id), 5),
            first.report_pods(session_pb2.PodReport(session_id=old.session_id), 5),
            first.report_events(session_pb2.EventReport(session_id=old.session_id), 5),
        ):
            with pytest.raises(Stale):
                await call


async def test_a_gap_is_answered_with_a_snapshot(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: agent.desired.complete)
        agent.desired.revision = 1  # as after a lost delta
        agent.desired.complete = False
        config_map = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"))
        await create(master, kinds.CONFIGMAP, config_map)
        await create(master, kinds.POD, web_pod("web", "node-1"))
        await until(lambda: agent.desired.complete)
        assert agent.desired.for_pods().pods


async def test_a_node_that_falls_behind_gets_a_snapshot(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    async with Master(identity) as connection:
        hello = await connection.hello(_hello(), 5)
        session = master.sessions.current("node-1")
        assert session is not None
        session.outbox._max_keys = 3
        messages = connection.desired(session_pb2.DesiredRequest(session_id=hello.session_id))
        async with aclosing(messages):
            first = await anext(messages)
            assert first.cut.snapshot
            for number in range(5):  # without an await in between, so that the stream cannot run
                session.outbox.mark([(6, "", str(number))])  # type: ignore[list-item]
            assert (await anext(messages)).cut.snapshot


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"cluster_id": "another"}, "another cluster", id="other cluster"),
        pytest.param({"protocol_version": 99}, "version 99", id="other protocol"),
    ],
)
async def test_a_hello_that_does_not_fit_is_refused(master: MasterEnd, change: dict[str, object], message: str) -> None:
    request = _hello()
    for name, value in change.items():
        setattr(request, name, value)
    async with Master(await master.identity("node-1")) as connection:
        with pytest.raises(Refused, match=message):
            await connection.hello(request, 5)


async def test_an_identity_unknown_to_the_cluster_is_refused(
    master: MasterEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    known = await master.identities.get("node-1")
    assert known is not None
    await master.identities.free(known)
    with caplog.at_level(logging.WARNING):
        async with agent.running():
            await until(lambda: agent.clock.long_waits)
    assert "does not know node node-1" in caplog.text
    assert not agent.machine.left
    assert master.sessions.current("node-1") is None


async def test_a_certificate_that_was_replaced_is_refused(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    known = await master.identities.get("node-1")
    assert known is not None
    await master.identities.replace(known, replace(known, fingerprint="0" * 64))
    async with Master(identity) as connection:
        with pytest.raises(Refused, match="another certificate"):
            await connection.hello(_hello(), 5)


async def test_a_certificate_of_another_authority_is_refused(master: MasterEnd, tmp_path: Path) -> None:
    other = prepare_pki(tmp_path)
    identity = await master.identity("node-1")
    forged = replace(identity, certificate=other.sign_node(_request(identity.key), "node-1"))
    async with Master(forged) as connection:
        with pytest.raises(Exception, match=r"(?i)unavailable"):
            await connection.hello(_hello(), 5)


async def test_the_administrators_certificate_is_not_a_nodes(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    pair = master.pki.admin
    admin = replace(identity, certificate=pair.certificate.read_text(), key=pair.key.read_text())
    async with Master(admin) as connection:
        with pytest.raises(Refused, match="only nodes"):
            await connection.hello(_hello(), 5)


async def test_a_second_machine_is_refused_while_the_first_is_fresh(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    async with Master(identity) as first, Master(identity) as second:
        await first.hello(_hello(), 5)
        with pytest.raises(Refused, match="another machine"):
            await second.hello(_hello(machine="machine-2"), 5)
        await master.clock.advance(GRACE_S + 1)
        assert await second.hello(_hello(machine="machine-2"), 5)
        with pytest.raises(Refused, match="another machine"):
            await first.hello(_hello(), 5)


async def test_two_nodes_with_one_address_are_refused(master: MasterEnd) -> None:
    async with Master(await master.identity("node-1")) as first, Master(await master.identity("node-2")) as second:
        await first.hello(_hello(), 5)
        with pytest.raises(Refused, match=r"address 10\.0\.0\.1 of node node-1"):
            await second.hello(_hello(machine="machine-2"), 5)
        assert master.sessions.current("node-2") is None


async def test_a_deleted_node_cleans_up_and_its_name_and_addresses_are_free(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1"))
        await master.resources.delete(CALLER, kinds.NODE, "", "node-1")
        await agent.done.wait()
    assert agent.machine.left
    assert not agent.desired.member
    assert master.node("node-1") is None
    assert await master.identities.get("node-1") is None
    assert await master.store.get("/unique/podcidr/10.244.0.0/24") is None
    again = AgentEnd(await master.identity("node-1"), tmp_path)
    async with again.running():
        await until(lambda: master.ready("node-1") == "True")


async def test_a_certificate_is_renewed_in_time_and_the_next_session_uses_it(master: MasterEnd, tmp_path: Path) -> None:
    identity = await master.identity("node-1")
    agent = AgentEnd(identity, tmp_path)
    agent.clock.offset_s = (identity.not_after - identity.not_before) * 0.8
    agent.renewal._clock = agent.clock
    async with agent.running():
        await until(lambda: agent.renewal.identity.certificate != identity.certificate)
        agent.clock.offset_s = 0
        await until(lambda: master.ready("node-1") == "True")
    known = await master.identities.get("node-1")
    assert known is not None
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600


async def test_a_failed_renewal_ends_no_session_and_is_retried(
    master: MasterEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = await master.identity("node-1")
    state_dir = tmp_path / "not there yet"
    agent = AgentEnd(identity, state_dir)
    agent.clock.offset_s = (identity.not_after - identity.not_before) * 0.8
    async with agent.running():
        await until(lambda: "node node-1: certificate not renewed" in caplog.text)
        await until(lambda: master.ready("node-1") == "True")
        assert agent.renewal.identity is identity, "the certificate was used before it was on disk"
        state_dir.mkdir()
        await until(lambda: agent.renewal.identity is not identity)
        agent.clock.offset_s = 0
        await until(lambda: master.ready("node-1") == "True")


async def test_an_error_in_one_session_does_not_end_the_agent(
    master: MasterEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    beat = agent.machine.beat
    failures = [ValueError("a bug of ours"), OSError(5, "the disk"), ValueError("a bug of ours")]

    def failing() -> object:
        if failures and master.sessions.current("node-1") is not None:
            raise failures.pop()
        return beat()

    monkeypatch.setattr(agent.machine, "beat", failing)
    async with agent.running():
        await until(lambda: not failures and master.ready("node-1") == "True")
    assert "node node-1: the session failed" in caplog.text
    assert "a bug of ours" in caplog.text


async def test_the_usages_of_pods_come_with_heartbeats_and_again_in_each_session(
    master: MasterEnd, tmp_path: Path
) -> None:
    app = ContainerTarget("app", "1" * 64, "app", "app:1")
    usage = ContainerUsage(app, 1.0, Cgroup(working_set_bytes=3 << 20), cpu_nano_cores=7, window_s=10.0)
    pods = (PodUsage(PodTarget("u1", "default", "web", 0.0, containers=(app,)), containers=(usage,)),)
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        assert master.sessions.pod_usages("node-1") == {}
        agent.machine.snapshot = Snapshot("node-1", at=1.0, taken_at=1.0, pods=pods)
        first = await until(lambda: master.sessions.pod_usages("node-1"))
        assert first["u1"].containers == (usages.ContainerUsage("app", 7, 3 << 20),)
        master.sessions.end_session("node-1", "test")
        await until(lambda: master.sessions.pod_usages("node-1"))
        agent.machine.snapshot = Snapshot("node-1", at=2.0, taken_at=2.0, pods=())
        await until(lambda: not master.sessions.pod_usages("node-1"))
