"""The node: connects session, desired state, network and pods.

Owns the order in which a cut takes effect (network first, then pods), the node's conditions, when the desired state is
written to disk, and leaving. Everything else it delegates.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from agent import host, model
from agent.address import OwnAddress
from agent.clock import Clock, within
from agent.config import AgentConfig
from agent.connections import Connection
from agent.desired import disk
from agent.desired.state import DesiredState
from agent.errors import AgentError
from agent.network import AgentNetwork, NetworkFault
from agent.parts import Dns, Events, Meter, Pods, Relay
from agent.queries import Answer, Queries, Query, healthz
from agent.runtime.interface import Runtime
from agent.runtime.process import Process
from agent.statuses import Beat, Capacity, Condition, Event, NodeInfo, PodStatus
from agent.usage.figures import Snapshot
from agent.vitals import Vitals
from hull import mounts
from netstack.desired import NetworkState, NodeSettings, Repair

RETRY_S: Final = 1.0
ENGINE_CHECK_S: Final = 10.0
ENGINE_RETRY_S: Final = 1.0
ENGINE_PATIENCE_S: Final = 20.0
"""An engine that needs 10 s for each call is slow, not gone. The time-out of other calls is longer, as it allows for a
busy engine."""
LEAVE_POLL_S: Final = 0.1

# A placeholder for the addresses of a removed node: a teardown needs names only (RFC 5737).
_NOWHERE: Final = IPv4Network("192.0.2.0/24")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Health:
    """The problems of the node; empty: none. All but `disk` keep it from being Ready."""

    network: str = "no snapshot has come from the master yet"
    audit: str = ""
    engine: str = "the engine has not answered yet"
    shutdown: str = ""
    disk: str = ""
    """Reported as DiskPressure: running pods do not need the agent's files."""


class Node:
    """This machine as a node. Implements the session's NodeSide."""

    def __init__(
        self,
        config: AgentConfig,
        cluster_id: str,
        *,
        desired: DesiredState,
        events: Events,
        runtime: Runtime,
        vitals: Vitals,
        clock: Clock,
    ) -> None:
        self._config = config
        self._cluster_id = cluster_id
        self._desired = desired
        self._events = events
        self._runtime = runtime
        self._vitals = vitals
        self._clock = clock
        self._address = OwnAddress(config.node_address, config.master_host)
        self._health = _Health()
        self._engine_version = ""
        self._confinement = ". AppArmor enabled" if host.has_apparmor() else ""
        """As the kubelet says it."""
        self._applied_revision = 0
        self._applied_network: tuple[NodeSettings, NetworkState] | None = None
        self._complete = asyncio.Event()
        self._changed = asyncio.Event()
        self._unsaved = asyncio.Event()
        self._engine_asked = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._pods: Pods
        self._network: AgentNetwork
        self._dns: Dns
        self._meter: Meter
        self._relay: Relay
        self.queries = Queries({"/healthz": healthz(self._conditions)})
        """What clients may ask about this node; assembly.py adds paths."""

    def connect(self, pods: Pods, network: AgentNetwork, dns: Dns, meter: Meter, relay: Relay) -> None:
        """Set the parts that report back to this one, the node's DNS and its meter; call before `run`."""
        self._pods, self._network, self._dns, self._meter, self._relay = pods, network, dns, meter, relay

    async def run(self) -> None:
        """Run everything but the session until cancelled."""
        if (kept := disk.read(self._config.state_dir, self._cluster_id, self._config.node_name)) is not None:
            log.info("using the desired state of revision %d from disk until the master is reached", kept.revision)
            self._desired.restore(kept, secrets_known=self._config.secrets_on_disk)
            self._changed.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run(), name="pods")
            group.create_task(self._network.run(), name="network audits")
            group.create_task(self._apply_changes(), name="desired state")
            group.create_task(self._keep(), name="desired state on disk")
            group.create_task(self._retain(), name="network clean-up")
            group.create_task(self._watch_engine(), name="engine check")
            group.create_task(self._dns.run(), name="dns process")
            group.create_task(self._relay.run(), name="relay")
            group.create_task(self._meter.run(self._pods), name="usage")

    async def started(self) -> None:
        """Wait until the engine has been asked once, so that Hello can name its version."""
        await self._engine_asked.wait()

    # --- for the session (NodeSide) ----------------------------------------------------------------------------------

    @property
    def beat_now(self) -> asyncio.Event:
        """Set when something changed that must be reported before the next heartbeat is due."""
        return self._beat_now

    async def describe(self) -> tuple[NodeInfo, Capacity]:
        """For Hello. Raises OSError while there is no route to the master."""
        info = NodeInfo(
            machine_id=host.machine_id(self._config.state_dir),
            boot_id=host.boot_id(),
            kernel_version=host.kernel_version(),
            os_image=host.os_image(),
            container_runtime_version=self._engine_version,
            agent_version=host.agent_version(),
            operating_system="linux",
            architecture=host.architecture(),
            address=await self._address.get(),
            hostname=self._config.node_name,
            labels=self._config.labels,
            addresses=tuple(host.addresses()),
            supplemental_groups_policy=True,
            read_only_trees=mounts.has_read_only_trees(),
        )
        return info, self._vitals.capacity()

    async def address(self) -> str:
        """The present address, by the route to the master. Raises OSError."""
        return await self._address.get()

    def beat(self) -> Beat:
        """The present state of the machine."""
        return Beat(self._vitals.capacity(), self._vitals.usage(), self._conditions(), self._applied_revision)

    def usage(self) -> Snapshot:
        """What was measured last."""
        return self._meter.snapshot

    def statuses(self) -> Iterable[PodStatus]:
        return self._pods.statuses()

    def desired_changed(self) -> None:
        """A cut was applied to the desired state."""
        self._changed.set()
        self._unsaved.set()

    def logs(self, request: model.LogRequest) -> AsyncIterator[bytes]:
        """A container's output."""
        return self._pods.logs(request)

    def process(self, request: model.ProcessRequest) -> AbstractAsyncContextManager[Process]:
        """A process in a container, and its streams."""
        return self._pods.process(request)

    def connection(self, request: model.ConnectionRequest) -> AbstractAsyncContextManager[Connection]:
        """A connection to a port of a pod."""
        return self._pods.connection(request)

    async def query(self, query: Query) -> Answer:
        """The answer to a query about this node."""
        return await self.queries.answer(query)

    async def leave(self) -> None:
        """Remove every pod, then the network; returns when nothing of ours is left."""
        self._changed.set()
        while self._applied_revision != self._desired.revision or not self._pods.idle:
            await self._clock.sleep(LEAVE_POLL_S)
        await self._dns.stop()
        await self._network.configure(await self._teardown_settings(), reopen=False)
        while True:
            try:
                await self._network.teardown()
                return
            except NetworkFault as error:
                log.error("removing the network: %s", error)
                await self._clock.sleep(RETRY_S)

    # --- reports from the parts --------------------------------------------------------------------------------------

    def network_mended(self, repairs: tuple[Repair, ...]) -> None:
        """An audit repaired a change made by others; becomes an event for people."""
        for repair in repairs:
            self._warn("NetworkMended", f"{repair.what}: {repair.detail}")

    def dns_failed(self, problem: str) -> None:
        """Pods of this node may have no DNS; becomes an event for people."""
        self._warn("DNSFailed", f"the process of the node's DNS {problem}")

    def port_not_open(self, problem: str) -> None:
        """A node port or host port does not answer on the loopback; becomes an event for people."""
        self._warn("CannotOpenPort", problem)

    def shutting_down(self) -> None:
        """The host is shutting down: the node is not Ready any more. The message is the kubelet's."""
        self._health.shutdown = "node is shutting down"
        self._beat_now.set()

    def _warn(self, reason: str, message: str) -> None:
        """Report an event about this node."""
        name, now = self._config.node_name, self._clock.wall()
        event = Event(
            kind="Node", namespace="", name=name, uid="", reason=reason, message=message, at=now, warning=True
        )
        self._events.event(event)

    def network_health(self, problem: str) -> None:
        """The problem of the last audit; empty when it succeeded."""
        if problem != self._health.audit:
            self._health.audit = problem
            self._beat_now.set()

    # --- tasks -------------------------------------------------------------------------------------------------------

    async def _apply_changes(self) -> None:
        reported = ""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._apply()
            except Exception as error:  # the loop's boundary: it must try again
                problem = f"desired state of revision {self._desired.revision}: {error}"
                if problem != reported:
                    log.error("%s", problem, exc_info=not isinstance(error, AgentError))
                reported = problem
                await self._clock.sleep(RETRY_S)
                self._changed.set()
            else:
                reported = ""

    async def _apply(self) -> None:
        """Apply the network, then the pods, both of one revision, even if a cut arrives meanwhile."""
        desired = self._desired
        revision, complete = desired.revision, desired.complete
        pods = desired.for_pods()
        # Before the network: the process can start meanwhile, and pods that run already wait for their DNS.
        self._dns.apply(desired.for_dns())
        problem: NetworkFault | None = None
        try:
            await self._apply_network()
        except NetworkFault as error:
            problem = error  # pods start anyway: most need no peer and no service for that
        await self._pods.apply(pods, complete=complete)
        if problem is not None:
            self._set_network_problem(str(problem))
            raise problem
        self._applied_revision = revision
        if complete and desired.member:
            self._complete.set()

    async def _retain(self) -> None:
        """Free, once, the addresses and links of pods that are gone. Waits until both the desired pods and the node's
        containers are known: an address must not be given to another pod while a container still uses it."""
        await self._complete.wait()
        await self._pods.listed()
        while True:
            try:
                await self._network.retain(self._pods.pod_uids())
                return
            except NetworkFault as error:
                log.error("cleaning up the network: %s", error)
                await self._clock.sleep(RETRY_S)

    async def _apply_network(self) -> None:
        try:
            own = self._desired.network_settings(node_name=self._config.node_name, state_dir=self._config.state_dir)
        except ValueError as error:
            raise NetworkFault(f"the master's settings for this node: {error}") from error
        if own is None:
            return
        state = self._desired.for_network()
        if (own, state) == self._applied_network:
            return
        await self._network.configure(own)
        await self._network.apply(state)
        self._applied_network = own, state
        self._set_network_problem("")

    async def _keep(self) -> None:
        """Write the desired state to disk after a change; changes during a write go into the next one."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            cut = self._desired.dump(secrets=self._config.secrets_on_disk)
            problem = ""
            try:
                await asyncio.to_thread(
                    disk.write, self._config.state_dir, self._cluster_id, self._config.node_name, cut
                )
            except OSError as error:
                problem = f"the desired state cannot be kept on disk: {error}"
            if problem != self._health.disk:
                log.error("%s", problem) if problem else log.warning("the desired state is kept on disk again")
                self._health.disk = problem
                self._beat_now.set()
            if problem:
                await self._clock.sleep(RETRY_S)
                self._unsaved.set()

    async def _watch_engine(self) -> None:
        while True:
            try:
                async with within(self._clock, ENGINE_PATIENCE_S):
                    self._engine_version = str(await self._runtime.version())
                problem = ""
            except TimeoutError:
                problem = f"the container engine does not answer: no reply within {ENGINE_PATIENCE_S:g} s"
            except AgentError as error:
                problem = f"the container engine does not answer: {error}"
            if problem != self._health.engine:
                if problem:
                    log.error("%s", problem)
                self._health.engine = problem
                self._beat_now.set()
            self._engine_asked.set()
            await self._clock.sleep(ENGINE_RETRY_S if problem else ENGINE_CHECK_S)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _set_network_problem(self, problem: str) -> None:
        if problem != self._health.network:
            self._health.network = problem
            self._beat_now.set()

    def _conditions(self) -> tuple[Condition, ...]:
        health = self._health
        problem = "; ".join(filter(None, (health.shutdown, health.engine, health.network, health.audit)))
        ready = Condition(
            type="Ready",
            status="False" if problem else "True",
            reason="AgentNotReady" if problem else "AgentReady",
            message=problem or f"engine, links, peers and rules are in place{self._confinement}",
        )
        return (*self._vitals.pressure(health.disk), ready)

    async def _teardown_settings(self) -> NodeSettings:
        address = str(_NOWHERE[1])
        with contextlib.suppress(OSError):
            address = await self._address.get()
        return NodeSettings(
            node_name=self._config.node_name,
            node_address=IPv4Address(address),
            pod_cidr=_NOWHERE,
            cluster_cidr=_NOWHERE,
            service_cidr=_NOWHERE,
            state_dir=self._config.state_dir,
        )
