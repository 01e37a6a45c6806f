"""The node: network before pods, conditions, reported repairs, and a complete clean-up when leaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from agent import host, model, statuses
from agent.clock import Clock
from agent.config import AgentConfig
from agent.desired import disk
from agent.desired.state import DesiredState
from agent.network import AgentNetwork
from agent.node import Node
from agent.runtime.fake import FakeRuntime
from agent.runtime.versions import RuntimeVersion
from agent.session.reporter import ReportQueue
from agent.usage.meter import Meter
from agent.usage.targets import PodTarget
from agent.usage.written import Written
from agent.vitals import Vitals
from agent.wire.names import DnsContent
from netstack.desired import HostPort, NetworkState, NodeSettings, PublishedPort, Repair, ServicePort
from netstack.errors import RulesBusy
from proto.gen import desired_pb2 as pb
from proto.gen.session_pb2 import Cut
from tests.fakes.sessions import AgentClock, until
from tests.unit.agent.fakes import HandClock
from tests.unit.agent.usage.texts import Kernel

pytestmark = pytest.mark.timeout(20)

CONFIG = pb.NodeConfig(
    pod_cidr="10.244.1.0/24", cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16", node_address="10.0.0.1"
)


class FakeNetwork:
    """A fake of netstack's NodeNetwork."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.broken = False
        self.audit_broken = False
        self.audits: list[bool] = []
        self.repairs: tuple[Repair, ...] = ()
        self.state: NetworkState | None = None

    def apply(self, state: NetworkState) -> None:
        if self.broken:
            raise RulesBusy("another program holds the lock")
        self.log.append(f"network of {len(state.peers)} peers")
        self.state = state

    def attach_pod(self, pod_uid: str, netns_pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        return IPv4Address("10.244.1.2")

    def detach_pod(self, pod_uid: str) -> None: ...

    def release_pod(self, pod_uid: str) -> None: ...

    def retain(self, pod_uids: Iterable[str]) -> None:
        self.log.append(f"retain {sorted(pod_uids)}")

    def audit(self, *, links: bool = True) -> tuple[Repair, ...]:
        self.audits.append(links)
        if self.audit_broken:
            raise RulesBusy("another program holds the lock")
        repairs, self.repairs = self.repairs, ()
        return repairs

    def teardown(self) -> None:
        self.log.append("teardown")

    def close(self) -> None:
        self.log.append("close")


class FakeDns:
    """A fake of DnsProcess."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.content: DnsContent | None = None

    def apply(self, content: DnsContent | None) -> None:
        self.content = content

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.log.append("dns stopped")
        self.content = None


class FakeRelay:
    """A fake of Relay."""

    def __init__(self) -> None:
        self.services: tuple[ServicePort, ...] = ()
        self.host_ports: tuple[PublishedPort, ...] = ()

    def serve(self, services: Iterable[ServicePort], host_ports: Iterable[PublishedPort]) -> None:
        self.services, self.host_ports = tuple(services), tuple(host_ports)

    async def run(self) -> None:
        await asyncio.Event().wait()


class FakePods:
    """A fake of PodManager."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.desired: model.Desired | None = None
        self.complete = False

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def apply(self, desired: model.Desired, *, complete: bool) -> None:
        self.log.append(f"pods {sorted(desired.pods)}")
        self.desired, self.complete = desired, complete

    def statuses(self) -> list[statuses.PodStatus]:
        return []

    def pod_uids(self) -> frozenset[model.PodUid]:
        return frozenset(self.desired.pods if self.desired else ())

    async def listed(self) -> None: ...

    def measurable(self) -> tuple[PodTarget, ...]:
        return ()

    def take_written(self, written: Mapping[str, Written]) -> None: ...

    @property
    def idle(self) -> bool:
        return self.desired is not None and not self.desired.pods

    async def logs(self, request: model.LogRequest) -> AsyncIterator[bytes]:
        yield f"{request.namespace}/{request.pod} {request.uid} {request.container}".encode()


class Bench:
    """A node with fakes around it."""

    def __init__(self, tmp_path: Path, clock: Clock | None = None) -> None:
        self.log: list[str] = []
        self.settings: list[NodeSettings] = []
        self.clock = clock or AgentClock()
        self.config = AgentConfig(
            state_dir=tmp_path, node_name="node-1", master="https://127.0.0.1:1", node_address="10.0.0.1", audit_s=0.01
        )
        self.desired = DesiredState()
        self.reports = ReportQueue(lambda uid: None)
        self.net, self.pods, self.dns = FakeNetwork(self.log), FakePods(self.log), FakeDns(self.log)
        self.relay = FakeRelay()
        self.node = Node(
            self.config,
            "cluster",
            desired=self.desired,
            events=self.reports,
            runtime=FakeRuntime(self.clock),
            vitals=Vitals(self.config),
            clock=self.clock,
        )
        self.network = AgentNetwork(
            self._make,
            clock=self.clock,
            audit_s=self.config.audit_s,
            on_repairs=self.node.network_mended,
            on_health=self.node.network_health,
            relay=self.relay,
        )
        meter = Meter("node-1", tmp_path, self.clock, link_of=lambda uid: "", proc=Kernel(tmp_path / "kernel", 2).proc)
        self.node.connect(self.pods, self.network, self.dns, meter, self.relay)

    def _make(self, settings: NodeSettings) -> FakeNetwork:
        self.settings.append(settings)
        return self.net

    def receive(self, cut: Cut) -> None:
        self.desired.receive(cut)
        self.node.desired_changed()

    def ready(self) -> tuple[str, str]:
        ready = next(condition for condition in self.node.beat().conditions if condition.type == "Ready")
        return ready.status, ready.message

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.node.run())
            await self.node.started()
            try:
                yield
            finally:
                task.cancel()
        await self.network.aclose()


def snapshot(**items: object) -> Cut:
    return Cut(snapshot=True, revision=5, last=True, node=CONFIG, **items)  # type: ignore[arg-type]


def a_pod(uid: str) -> pb.Pod:
    return pb.Pod(uid=uid, namespace="default", name=uid)


async def test_the_network_of_a_cut_is_applied_before_its_pods(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        assert bench.ready()[0] == "False"
        bench.receive(
            snapshot(pods=[a_pod("a")], peers=[pb.Peer(name="b", address="10.0.0.2", pod_cidr="10.244.2.0/24")])
        )
        await until(lambda: bench.node.beat().applied_revision == 5)
        await until(lambda: len(bench.log) > 2)
        assert bench.log[:3] == ["network of 1 peers", "pods ['a']", "retain ['a']"]
        assert bench.ready()[0] == "True"
        bench.receive(Cut(base_revision=5, revision=6, last=True, pods=[a_pod("b")]))
        await until(lambda: bench.node.beat().applied_revision == 6)
        assert bench.log[3:] == ["pods ['a', 'b']"]


async def test_a_network_that_fails_keeps_the_node_from_being_ready_but_not_the_pods(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.net.broken = True
    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: bench.pods.desired)
        await until(lambda: "holds the lock" in bench.ready()[1])
        assert bench.node.beat().applied_revision == 0
        bench.net.broken = False
        await until(lambda: bench.ready()[0] == "True")
        assert bench.node.beat().applied_revision == 5


async def test_a_node_starts_its_pods_without_a_master(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    async with first.running():
        first.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: disk.read(tmp_path, "cluster", "node-1"))
    second = Bench(tmp_path)
    async with second.running():
        await until(lambda: second.pods.desired and second.pods.desired.pods)
        assert not second.pods.complete
        assert not any(line.startswith("retain") for line in second.log)
        assert second.net.state is not None


async def test_a_full_disk_is_reported_as_disk_pressure_until_it_is_writable(tmp_path: Path) -> None:
    in_the_way = tmp_path / f".{disk.NAME}.new"
    in_the_way.mkdir()
    bench = Bench(tmp_path)

    def pressure() -> str:
        return next(condition.message for condition in bench.node.beat().conditions if condition.type == "DiskPressure")

    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: "cannot be kept on disk: [Errno 21] Is a directory" in pressure())
        await until(lambda: bench.ready()[0] == "True")
        assert bench.pods.desired is not None and set(bench.pods.desired.pods) == {"a"}
        in_the_way.rmdir()
        await until(lambda: "cannot be kept" not in pressure())
        kept = disk.read(tmp_path, "cluster", "node-1")
        assert kept is not None and [kept_pod.uid for kept_pod in kept.pods] == ["a"]


async def test_a_repair_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        bench.net.repairs = (Repair("rules", "chain SAMPAN-SERVICES was missing"),)
        (event,) = await until(bench.reports.take_events)
        assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "NetworkMended", "Warning")


async def test_a_failure_of_dns_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.dns_failed("ended: [Errno 98] Address already in use")
    [event] = bench.reports.take_events()
    assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "DNSFailed", "Warning")
    assert event.message == "the process of the node's DNS ended: [Errno 98] Address already in use"


async def test_a_port_that_cannot_be_opened_is_reported_as_an_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.port_not_open("no file descriptors")
    [event] = bench.reports.take_events()
    assert (event.kind, event.name, event.reason, event.type) == ("Node", "node-1", "CannotOpenPort", "Warning")
    assert event.message == "no file descriptors"


async def test_a_failing_audit_makes_the_node_unready_until_one_succeeds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        bench.net.audit_broken = True
        await until(lambda: "cannot be audited" in bench.ready()[1])
        bench.net.audit_broken = False
        await until(lambda: bench.ready()[0] == "True")


async def test_a_new_node_address_alone_reconfigures_the_network(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        moved = pb.NodeConfig()
        moved.CopyFrom(CONFIG)
        moved.node_address = "10.0.0.99"
        bench.receive(Cut(base_revision=5, revision=6, last=True, node=moved))
        await until(lambda: bench.node.beat().applied_revision == 6)
        assert bench.settings[-1].node_address == IPv4Address("10.0.0.99")
        assert bench.log.count("network of 0 peers") == 2


async def test_a_hanging_engine_makes_the_node_unready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.node.ENGINE_PATIENCE_S", 0.05)
    bench = Bench(tmp_path)

    async def hang() -> RuntimeVersion:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(bench.node._runtime, "version", hang)
    async with bench.running():
        assert "no reply within" in bench.ready()[1]
        monkeypatch.undo()
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")


@pytest.mark.parametrize(("call_s", "problem"), [(10.0, ""), (25.0, "no reply within 20 s")], ids=["slow", "hanging"])
async def test_an_engine_that_takes_10_s_for_each_call_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call_s: float, problem: str
) -> None:
    clock = HandClock()
    bench = Bench(tmp_path, clock)

    async def slow() -> RuntimeVersion:
        await clock.sleep(call_s)
        return RuntimeVersion("slow", "1")

    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        monkeypatch.setattr(bench.node._runtime, "version", slow)
        messages = []
        for _ in range(30):
            await clock.advance(5)
            messages.append(bench.ready()[1] if bench.ready()[0] == "False" else "")
        assert any(messages) == bool(problem) and problem in messages[-1]


async def test_a_bug_in_applying_is_logged_once_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    tries = 0

    def failing() -> object:
        nonlocal tries
        tries += 1
        raise KeyError("a bug of ours")

    monkeypatch.setattr(bench.desired, "for_pods", failing)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: tries > 2)
        assert caplog.text.count("desired state of revision 5: 'a bug of ours'") == 1
        monkeypatch.undo()
        await until(lambda: bench.ready()[0] == "True")


async def test_leaving_removes_the_pods_first_and_the_network_last(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot(pods=[a_pod("a")]))
        await until(lambda: "retain ['a']" in bench.log)
        bench.desired.receive(Cut(snapshot=True, revision=9, last=True))
        await bench.node.leave()
        assert bench.log[-3:] == ["pods []", "dns stopped", "teardown"]


async def test_a_node_that_lost_its_state_can_still_leave(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.desired.receive(Cut(snapshot=True, revision=9, last=True))
        await bench.node.leave()
        assert bench.log == ["pods []", "dns stopped", "teardown"]
        assert bench.settings[0].node_address == IPv4Address("10.0.0.1")


async def test_a_node_with_an_address_for_dns_answers_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    config = pb.NodeConfig()
    config.CopyFrom(CONFIG)
    config.cluster_domain, config.cluster_dns = "cluster.local", "10.96.0.10"
    async with bench.running():
        bench.receive(Cut(snapshot=True, revision=1, last=True, node=config))
        await until(lambda: bench.ready()[0] == "True")
        assert bench.dns.content is not None
        assert bench.dns.content.settings.address == IPv4Address("10.96.0.10")
        assert bench.net.state is not None and bench.net.state.dns == IPv4Address("10.96.0.10")
        assert bench.pods.desired is not None
        assert bench.pods.desired.dns == model.ClusterDns("cluster.local", "10.96.0.10")


async def test_a_node_of_an_older_master_answers_no_dns(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with bench.running():
        bench.receive(snapshot())
        await until(lambda: bench.ready()[0] == "True")
        assert bench.dns.content is None
        assert bench.net.state is not None and bench.net.state.dns is None


async def test_the_content_of_hello(tmp_path: Path) -> None:
    info, capacity = await Bench(tmp_path).node.describe()
    assert (info.address, info.hostname, info.operating_system) == ("10.0.0.1", "node-1", "linux")
    assert info.machine_id
    assert list(info.addresses) == host.addresses() and "127.0.0.1" not in info.addresses
    assert info.agent_version == host.agent_version() != "v"
    assert capacity.pods == 110
    assert capacity.cpu_millis >= 1000
    assert capacity.memory_bytes > 0


async def test_the_node_measures_itself_while_it_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.node.usage().at == 0.0
    async with bench.running():
        await until(lambda: bench.node.usage().at)
    assert bench.node.usage().machine.cores == 2


def test_a_node_whose_host_shuts_down_is_not_ready(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.node.shutting_down()
    ready = next(condition for condition in bench.node.beat().conditions if condition.type == "Ready")
    assert ready.status == "False" and ready.message.startswith("node is shutting down")
    assert bench.node.beat_now.is_set()
