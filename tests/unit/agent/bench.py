"""A node with fakes of its parts; shared by the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

from agent import model, statuses
from agent.clock import Clock
from agent.config import AgentConfig
from agent.desired.state import DesiredState
from agent.network import AgentNetwork
from agent.node import Node
from agent.runtime.fake import FakeRuntime
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
from tests.fakes.sessions import AgentClock
from tests.unit.agent.usage.texts import Kernel

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
