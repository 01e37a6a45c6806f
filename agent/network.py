"""AgentNetwork: runs netstack from the event loop, on one dedicated thread, and audits the kernel's state.

Owns the thread, the NodeNetwork on it, and the schedule of the audits. Implements the pods' PodNetwork. The desired
network is computed in wire/network.py; netstack changes the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from typing import Final, Protocol, TypeVar

from agent import model
from agent.clock import Clock
from agent.errors import AgentError
from agent.model import PodUid
from netstack.desired import LONGEST_NAME, HostPort, NetworkState, NodeSettings, PublishedPort, Repair, ServicePort
from netstack.errors import NetstackError

DEBOUNCE_S: Final = 0.5
"""Seconds. Netlink events come in bursts; one audit answers all of a burst."""
REST: Final = 10
"""Minimum pause before an audit that an event about rules causes, as a multiple of the last audit's duration. Our own
changes cause such events too: where thousands of rules change all the time, audits take at most a tenth of the time."""
LINKS_AUDIT_S: Final = 30.0
"""How often links are audited without an event. A dump takes half a millisecond of CPU time per pod."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class NetworkFault(AgentError):
    """The network could not be set up or repaired; callers try again."""


class Network(Protocol):
    """The part of netstack.node.NodeNetwork that is used."""

    def apply(self, state: NetworkState) -> None: ...
    def attach_pod(self, pod_uid: str, netns_pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address: ...
    def detach_pod(self, pod_uid: str) -> None: ...
    def release_pod(self, pod_uid: str) -> None: ...
    def retain(self, pod_uids: Iterable[str]) -> object: ...
    def audit(self, *, links: bool = True) -> tuple[Repair, ...]: ...
    def teardown(self) -> None: ...
    def close(self) -> None: ...


class Monitor(Protocol):
    """The part of netstack's DriftMonitor and RulesMonitor that is used."""

    def fileno(self) -> int: ...
    def drain(self) -> bool: ...
    def close(self) -> None: ...


class Relay(Protocol):
    """The part of agent.relay's Relay that is used."""

    def serve(self, services: Iterable[ServicePort], host_ports: Iterable[PublishedPort]) -> None: ...


class AgentNetwork:
    """One node's network. `configure` comes first, `aclose` last."""

    def __init__(
        self,
        make: Callable[[NodeSettings], Network],
        *,
        clock: Clock,
        audit_s: float,
        on_repairs: Callable[[tuple[Repair, ...]], None],
        on_health: Callable[[str], None],
        relay: Relay,
        monitor: Callable[[], Monitor] | None = None,
        rules_monitor: Callable[[], Monitor] | None = None,
    ) -> None:
        self._make = make
        self._clock = clock
        self._audit_s = audit_s
        self._on_repairs = on_repairs
        self._on_health = on_health
        self._relay = relay
        self._services: tuple[ServicePort, ...] = ()
        self._published: dict[PodUid, tuple[PublishedPort, ...]] = {}
        """The host ports of attached pods. After a restart of the agent, each pod is attached again."""
        self._make_monitor, self._make_rules_monitor = monitor, rules_monitor
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="netstack")
        self._network: Network | None = None
        self._settings: NodeSettings | None = None
        self._ready = asyncio.Event()
        self._woken = asyncio.Event()
        self._links_drifted = False
        self._audit_took_s = 0.0
        """Duration of the last audit."""

    async def configure(self, settings: NodeSettings, *, reopen: bool = True) -> None:
        """Open the network of this node, or open it again if the settings changed (unless `reopen` is False).

        Pods wait for the first call. Raises NetworkFault.
        """
        if settings == self._settings or (self._settings is not None and not reopen):
            return
        if self._settings is not None:
            log.warning("the node's network settings changed to %s", settings)
        self._network = await self._call(self._open, settings)
        self._settings = settings
        self._ready.set()

    async def apply(self, state: NetworkState) -> None:
        """Bring peers and rules to this state. Raises NetworkFault."""
        network = self._configured()
        await self._call(network.apply, state)
        self._services = state.services
        self._serve_loopback()

    async def retain(self, uids: Iterable[str]) -> None:
        """Free what an earlier agent left of all pods but these."""
        await self._call(self._configured().retain, frozenset(uids))

    async def attach(self, uid: PodUid, pid: int, ports: Sequence[model.HostPort] = ()) -> IPv4Address:
        """Claim the pod's address, connect the network namespace of `pid` and publish the ports."""
        await self._ready.wait()
        host_ports = _host_ports(ports)
        address = await self._call(self._configured().attach_pod, uid, pid, host_ports)
        self._publish(uid, tuple(PublishedPort(port, address) for port in host_ports))
        return address

    async def detach(self, uid: PodUid) -> None:
        """Disconnect the pod; its address stays claimed."""
        await self._ready.wait()
        await self._call(self._configured().detach_pod, uid)
        self._publish(uid, ())

    async def release(self, uid: PodUid) -> None:
        """Free the pod's address."""
        await self._ready.wait()
        await self._call(self._configured().release_pod, uid)

    async def teardown(self) -> None:
        """Remove everything of ours."""
        if self._network is not None:
            await self._call(self._network.teardown)
            self._services = ()
            self._published.clear()
            self._serve_loopback()

    async def run(self) -> None:
        """Audit rules every `audit_s` and soon after an event; links after an event, otherwise every LINKS_AUDIT_S."""
        await self._ready.wait()
        with self._watched():
            links_due_at = self._clock.monotonic()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._audit_s):
                        await self._woken.wait()
                        await self._clock.sleep(DEBOUNCE_S if self._links_drifted else self._pause_s())
                links = self._links_drifted or self._clock.monotonic() >= links_due_at
                self._woken.clear()
                self._links_drifted = False
                # After a failure, and without a monitor, the next audit includes links again.
                if not await self._audit(links=links) or self._make_monitor is None:
                    links_due_at = self._clock.monotonic()
                elif links:
                    links_due_at = self._clock.monotonic() + LINKS_AUDIT_S

    def _publish(self, uid: PodUid, ports: tuple[PublishedPort, ...]) -> None:
        before = self._published.pop(uid, ())
        if ports:
            self._published[uid] = ports
        if ports != before:
            self._serve_loopback()

    def _serve_loopback(self) -> None:
        self._relay.serve(self._services, [port for ports in self._published.values() for port in ports])

    def _pause_s(self) -> float:
        return max(DEBOUNCE_S, REST * self._audit_took_s)

    async def aclose(self) -> None:
        """Close the sockets and end the thread; the kernel keeps its state."""
        if self._network is not None:
            try:
                await self._call(self._network.close)
            except NetworkFault as error:
                log.warning("closing the node's network: %s", error)
        self._thread.shutdown(wait=False)

    async def _audit(self, *, links: bool) -> bool:
        """Returns whether it succeeded."""
        began = self._clock.monotonic()
        try:
            repairs = await self._call(lambda: self._configured().audit(links=links))
        except Exception as error:  # the loop's boundary: audits must go on
            unexpected = not isinstance(error, NetworkFault)
            log.error("network audit: %s", error, exc_info=unexpected)
            self._on_health(f"the network cannot be audited: {error}")
            return False
        self._on_health("")
        self._audit_took_s = self._clock.monotonic() - began
        if repairs:
            for repair in repairs:
                log.warning("network repaired: %s: %s", repair.what, repair.detail)
            self._on_repairs(repairs)
        return True

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if self._make_monitor is not None:
                stack.enter_context(self._following(self._make_monitor(), self._wake_for_links, "links"))
            if self._make_rules_monitor is not None:
                try:
                    monitor = self._make_rules_monitor()
                except OSError as error:
                    log.info(
                        "the kernel reports no changes of rules (%s): auditing them every %g s", error, self._audit_s
                    )
                else:
                    stack.enter_context(self._following(monitor, self._woken.set, "rules"))
            yield

    @contextlib.contextmanager
    def _following(self, monitor: Monitor, wake: Callable[[], None], what: str) -> Iterator[None]:
        """Call `wake` whenever the monitor reports a change."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                drifted = monitor.drain()
            except OSError as error:
                log.error("netlink events: %s; %s are audited periodically only", error, what)
                loop.remove_reader(monitor.fileno())
                drifted = True
            if drifted:
                wake()

        loop.add_reader(monitor.fileno(), readable)
        try:
            yield
        finally:
            loop.remove_reader(monitor.fileno())
            monitor.close()

    def _wake_for_links(self) -> None:
        self._links_drifted = True
        self._woken.set()

    def _open(self, settings: NodeSettings) -> Network:
        if self._network is not None:
            self._network.close()
        return self._make(settings)

    def _configured(self) -> Network:
        if self._network is None:
            raise NetworkFault("the node's network is not configured yet: no snapshot has come from the master")
        return self._network

    async def _call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call on the netstack thread; its errors become NetworkFault."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, function, *arguments)
        except (NetstackError, OSError) as error:
            raise NetworkFault(f"{type(error).__name__}: {error}") from error


def _host_ports(ports: Iterable[model.HostPort]) -> tuple[HostPort, ...]:
    """Raises NetworkFault for a port that cannot exist."""
    try:
        return tuple(
            HostPort(
                # A pod and its namespace may have 317 characters together. The name is for people only.
                name=port.pod[:LONGEST_NAME],
                protocol=port.protocol.lower(),
                port=port.port,
                pod_port=port.pod_port,
                address=IPv4Address(port.address) if port.address else None,
            )
            for port in ports
        )
    except ValueError as error:
        raise NetworkFault(f"host port: {error}") from error
