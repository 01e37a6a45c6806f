"""Both ends of the contract on loopback: the real dispatcher over gRPC and TLS, and agents on fake machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from agent import statuses
from agent.connections import Connection, connected
from agent.desired.state import DesiredState
from agent.identity import keys
from agent.identity.files import Identity
from agent.model import ConnectionRequest, LogRequest, ProcessRequest
from agent.queries import Answer, Queries, Query
from agent.runtime.errors import StartRefused
from agent.runtime.fakeprocess import FakeProcess
from agent.session.renewal import Renewal
from agent.session.reporter import ReportQueue
from agent.session.session import SessionLoop
from agent.session.tokens import SessionTokens
from agent.usage.figures import Snapshot
from master import cluster_api, kinds
from master.api.identity import component
from master.cache import Cache
from master.component.events import EventRecorder
from master.config import MasterConfig
from master.dispatch.accounttokens import AccountTokens
from master.dispatch.agentstreams import AgentStreams
from master.dispatch.departures import Departures
from master.dispatch.desired import DesiredState as MasterDesired
from master.dispatch.identities import Identities
from master.dispatch.join import JoinService
from master.dispatch.logs import LogStreams
from master.dispatch.nodes import Nodes
from master.dispatch.reports import Reports
from master.dispatch.server import SessionServer
from master.dispatch.service import MasterService
from master.dispatch.sessions import Sessions
from master.dispatch.token import make_valid
from master.dispatch.trust import Trust
from master.kinds.core.namespace import Namespace
from master.objects.meta import ObjectMeta
from master.pki import Pki
from master.store.memory import MemoryStore
from tests.fakes.clock import FakeClock

CALLER = component("test")
TOKEN = "abcdef.0123456789abcdef"
CLUSTER_ID = "cluster-of-the-test"
HEARTBEAT_S = 0.05
GRACE_S = 240.0
"""An agent gives up a session after half of it. No test takes that long: no session ends because a machine is slow."""


async def until(condition: Callable[[], Any]) -> Any:
    """Waits until the condition returns a true value, and returns it. The test's timeout is the limit."""
    while not (value := condition()):  # noqa: ASYNC110 - neither end has an event that a test could wait for
        await asyncio.sleep(0.002)
    return value


class MasterEnd:
    """A master without REST, controllers and scheduler."""

    def __init__(self, pki: Pki, store: MemoryStore, cache: Cache) -> None:
        self.pki, self.store, self.cache = pki, store, cache
        self.clock = FakeClock()
        self.resources = cluster_api.resources(store, cache, kinds.registry(), clock=self.clock)
        self.recorder = EventRecorder(self.resources, self.clock)
        self.sessions = Sessions(self.clock, heartbeat_s=HEARTBEAT_S, grace_s=GRACE_S)
        self.identities = Identities(store, self.clock, cluster_cidr="10.244.0.0/16", pod_cidr_prefix=24)
        self.trust = Trust(pki, self.identities, self.sessions, store)
        self.desired = MasterDesired(cache, self.sessions, cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16")
        self.streams = AgentStreams(self.sessions, open_timeout_s=2.0)
        self.logs = LogStreams(self.streams, self.clock)
        service = MasterService(
            cluster_id=CLUSTER_ID,
            identities=self.identities,
            sessions=self.sessions,
            nodes=Nodes(self.resources, self.clock),
            desired=self.desired,
            reports=Reports(self.resources, self.recorder, self.clock),
            streams=self.streams,
            departures=Departures(self.resources, self.identities, self.sessions),
            trust=self.trust,
            pki=pki,
            tokens=AccountTokens(self.resources),
        )
        self.server = SessionServer(service, pki, address="127.0.0.1", port=0)
        self.join = JoinService(
            cache,
            self.identities,
            pki,
            self.clock,
            cluster_id=CLUSTER_ID,
            session_port=0,
            cidrs=("10.244.0.0/16", "10.96.0.0/16"),
        )

    def node(self, name: str) -> Any:
        return self.cache.get(kinds.NODE, "", name)

    def ready(self, name: str) -> str:
        conditions = self.node(name).status.conditions if self.node(name) else ()
        return next((condition.status for condition in conditions if condition.type == "Ready"), "")

    async def identity(self, name: str) -> Identity:
        """Joins a node as an agent does, but without REST. Returns its identity."""
        key = keys.make_key()
        answer = await self.join.join(TOKEN, name, keys.make_request(key, name))
        life = keys.life_of(answer.certificate)
        return Identity(
            node_name=name,
            cluster_id=answer.cluster_id,
            session_address=f"127.0.0.1:{self.server.port}",
            ca=answer.ca,
            certificate=answer.certificate,
            key=key,
            not_before=life.not_before,
            not_after=life.not_after,
        )


@asynccontextmanager
async def master_end(pki: Pki) -> AsyncIterator[MasterEnd]:
    """A running master that listens."""
    store = MemoryStore()
    master = MasterEnd(pki, store, await Cache.load(store, kinds.ALL))
    for name in ("default", "kube-system"):
        await master.resources.create(CALLER, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    await make_valid(master.resources, TOKEN)
    async with asyncio.TaskGroup() as group:
        components = (master.desired, master.server, master.recorder)
        tasks = [group.create_task(component.run()) for component in components]
        await master.server.listening.wait()
        try:
            yield master
        finally:
            for task in tasks:
                task.cancel()


def prepare_pki(directory: Path) -> Pki:
    return Pki.prepare(MasterConfig(data_dir=directory, listen_address="127.0.0.1"))


class AgentClock:
    """Waits are cut short, and long ones (a refusal's) are counted.

    The monotonic clock stands still: no session lasts long enough for the back-off to be reset and a warning to be
    logged again, however slow the machine is.
    """

    def __init__(self) -> None:
        self.long_waits = 0
        self.offset_s = 0.0

    def wall(self) -> float:
        import time

        return time.time() + self.offset_s

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.long_waits += seconds >= 5
        await asyncio.sleep(3600 if seconds > 60 else min(seconds, 0.02))


class FakeMachine:
    """The machine of a node. Implements NodeSide."""

    def __init__(
        self,
        name: str,
        desired: DesiredState,
        *,
        machine: str = "machine-1",
        address: str = "10.0.0.1",
        addresses: Sequence[str] = (),
        boot: str = "",
    ):
        self.name = name
        self.desired = desired
        self.info = statuses.NodeInfo(
            machine_id=machine,
            boot_id=boot,
            address=address,
            hostname=name,
            architecture="amd64",
            operating_system="linux",
            addresses=tuple(addresses),
        )
        self.capacity = statuses.Capacity(cpu_millis=2000, memory_bytes=4 << 30, pods=110)
        self.is_ready = "True"
        self.cuts = 0
        self.left = False
        self.pods: dict[str, statuses.PodStatus] = {}
        self.chunks: list[bytes] = []
        self.follow = False
        self.processes: dict[str, FakeProcess] = {}
        """By the first word of the command; the main process of every container has the empty name."""
        self.process_requests: list[ProcessRequest] = []
        self.process_ended = asyncio.Event()
        self.snapshot = Snapshot()
        self.connection_requests: list[ConnectionRequest] = []
        self.connections = 0
        """Open now."""
        self.queries = Queries({})
        self.log_ended = asyncio.Event()
        self._beat_now = asyncio.Event()

    @property
    def beat_now(self) -> asyncio.Event:
        return self._beat_now

    async def describe(self) -> tuple[statuses.NodeInfo, statuses.Capacity]:
        return self.info, self.capacity

    async def address(self) -> str:
        return self.info.address

    def beat(self) -> statuses.Beat:
        ready = statuses.Condition("Ready", self.is_ready, "AgentReady")
        return statuses.Beat(self.capacity, statuses.Usage(), (ready,), self.desired.revision)

    def usage(self) -> Snapshot:
        return self.snapshot

    def statuses(self) -> Iterable[statuses.PodStatus]:
        return list(self.pods.values())

    def desired_changed(self) -> None:
        self.cuts += 1

    async def logs(self, request: LogRequest) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.follow:
                await asyncio.Event().wait()
        finally:
            self.log_ended.set()

    @asynccontextmanager
    async def process(self, request: ProcessRequest) -> AsyncIterator[FakeProcess]:
        name = request.command[0] if request.command else ""
        if name not in self.processes:
            raise StartRefused(f'exec: "{name}": executable file not found in $PATH')
        self.process_requests.append(request)
        try:
            yield self.processes[name]
        finally:
            self.process_ended.set()

    @asynccontextmanager
    async def connection(self, request: ConnectionRequest) -> AsyncIterator[Connection]:
        """All pods are at the loopback address of this host."""
        self.connection_requests.append(request)
        async with connected([IPv4Address("127.0.0.1")], request.port) as connection:
            self.connections += 1
            try:
                yield connection
            finally:
                self.connections -= 1

    async def query(self, query: Query) -> Answer:
        return await self.queries.answer(query)

    async def leave(self) -> None:
        self.left = True


class AgentEnd:
    """An agent's session, with the desired state that it received and the reports that it sends."""

    def __init__(self, identity: Identity, state_dir: Path, **machine: Any) -> None:
        self.clock = AgentClock()
        self.desired = DesiredState()
        self.machine = FakeMachine(identity.node_name, self.desired, **machine)
        self.reports = ReportQueue(lambda uid: None)
        self.renewal = Renewal(identity, state_dir, self.clock)
        self.tokens = SessionTokens()
        self.loop = SessionLoop(self.renewal, self.machine, self.desired, self.reports, self.clock, tokens=self.tokens)
        self.done = asyncio.Event()

    async def _run(self) -> None:
        await self.loop.run()
        self.done.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AgentEnd]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._run())
            try:
                yield self
            finally:
                task.cancel()
