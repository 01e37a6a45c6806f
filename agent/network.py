"""The node's network, run from the event loop: netstack's calls on one dedicated thread, audits, repairs.

Owns the thread, the NodeNetwork on it, and when it is applied and audited. Implements the pods' PodNetwork. What the
network should be is in wire/network.py; how the kernel is brought there is in netstack.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from typing import Final, Protocol, TypeVar

from agent.clock import Clock
from agent.errors import AgentError
from agent.model import PodUid
from netstack.desired import NetworkState, NodeSettings, Repair
from netstack.errors import NetstackError

DEBOUNCE_S: Final = 0.5
"""Netlink events come in swarms; one audit answers them all."""
REST: Final = 10
"""After an event about rules, which may be of our own writing, this many times the last audit's duration pass first:
where thousands of rules change all the time, audits take a tenth of the time at most."""
LINKS_AUDIT_S: Final = 30.0
"""How often links are looked at without an event: a dump takes half a millisecond of processor time for each pod."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class NetworkFault(AgentError):
    """The network could not be made or mended; it is tried again."""


class Network(Protocol):
    """What is used of netstack.node.NodeNetwork."""

    def apply(self, state: NetworkState) -> None: ...
    def attach_pod(self, pod_uid: str, netns_pid: int) -> IPv4Address: ...
    def detach_pod(self, pod_uid: str) -> None: ...
    def release_pod(self, pod_uid: str) -> None: ...
    def retain(self, pod_uids: Iterable[str]) -> object: ...
    def audit(self, *, links: bool = True) -> tuple[Repair, ...]: ...
    def teardown(self) -> None: ...
    def close(self) -> None: ...


class Monitor(Protocol):
    """What is used of netstack's DriftMonitor and RulesMonitor."""

    def fileno(self) -> int: ...
    def drain(self) -> bool: ...
    def close(self) -> None: ...


class AgentNetwork:
    """One node's network. `configure` before anything else; an async context manager by `aclose`."""

    def __init__(
        self,
        make: Callable[[NodeSettings], Network],
        *,
        clock: Clock,
        audit_s: float,
        on_repairs: Callable[[tuple[Repair, ...]], None],
        on_health: Callable[[str], None],
        monitor: Callable[[], Monitor] | None = None,
        rules_monitor: Callable[[], Monitor] | None = None,
    ) -> None:
        self._make = make
        self._clock = clock
        self._audit_s = audit_s
        self._on_repairs = on_repairs
        self._on_health = on_health
        self._make_monitor, self._make_rules_monitor = monitor, rules_monitor
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="netstack")
        self._network: Network | None = None
        self._settings: NodeSettings | None = None
        self._ready = asyncio.Event()
        self._woken = asyncio.Event()
        self._links_drifted = False
        self._took_s = 0.0
        """The last audit."""

    async def configure(self, settings: NodeSettings, *, again: bool = True) -> None:
        """Open the network of this node; a change of settings opens it anew if `again`. Pods wait for the first time.

        Raises NetworkFault.
        """
        if settings == self._settings or (self._settings is not None and not again):
            return
        if self._settings is not None:
            log.warning("the node's network settings changed to %s", settings)
        self._network = await self._call(self._open, settings)
        self._settings = settings
        self._ready.set()

    async def apply(self, state: NetworkState) -> None:
        """Make peers and rules so. Raises NetworkFault."""
        network = self._configured()
        await self._call(network.apply, state)

    async def retain(self, uids: Iterable[str]) -> None:
        """Free what a dead agent left of pods that are no more."""
        await self._call(self._configured().retain, frozenset(uids))

    async def attach(self, uid: PodUid, pid: int) -> IPv4Address:
        """Claim the pod's address and wire the network namespace of `pid`."""
        await self._ready.wait()
        return await self._call(self._configured().attach_pod, uid, pid)

    async def detach(self, uid: PodUid) -> None:
        """Take the pod off the network; its address stays claimed."""
        await self._ready.wait()
        await self._call(self._configured().detach_pod, uid)

    async def release(self, uid: PodUid) -> None:
        """Free the pod's address."""
        await self._ready.wait()
        await self._call(self._configured().release_pod, uid)

    async def teardown(self) -> None:
        """Remove everything of ours."""
        if self._network is not None:
            await self._call(self._network.teardown)

    async def run(self) -> None:
        """Audit rules each period, and soon after the kernel told of a change; links then, else now and then."""
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
                # After a failure, and where nobody tells of changes, the next audit is about everything again.
                if not await self._audit(links=links) or self._make_monitor is None:
                    links_due_at = self._clock.monotonic()
                elif links:
                    links_due_at = self._clock.monotonic() + LINKS_AUDIT_S

    def _pause_s(self) -> float:
        return max(DEBOUNCE_S, REST * self._took_s)

    async def aclose(self) -> None:
        """Close the sockets and end the thread; the kernel keeps everything."""
        if self._network is not None:
            try:
                await self._call(self._network.close)
            except NetworkFault as error:
                log.warning("closing the node's network: %s", error)
        self._thread.shutdown(wait=False)

    async def _audit(self, *, links: bool) -> bool:
        """Whether it went well."""
        began = self._clock.monotonic()
        try:
            repairs = await self._call(lambda: self._configured().audit(links=links))
        except Exception as error:  # the loop's boundary: a node without audits would rot unseen
            unexpected = not isinstance(error, NetworkFault)
            log.error("network audit: %s", error, exc_info=unexpected)
            self._on_health(f"the network cannot be audited: {error}")
            return False
        self._on_health("")
        self._took_s = self._clock.monotonic() - began
        if repairs:
            for repair in repairs:
                log.warning("network mended: %s: %s", repair.what, repair.detail)
            self._on_repairs(repairs)
        return True

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if self._make_monitor is not None:
                stack.enter_context(self._heard(self._make_monitor(), self._links_have_drifted, "links"))
            if self._make_rules_monitor is not None:
                try:
                    monitor = self._make_rules_monitor()
                except OSError as error:
                    log.info(
                        "the kernel tells nothing of rules (%s): they are looked at every %g s", error, self._audit_s
                    )
                else:
                    stack.enter_context(self._heard(monitor, self._woken.set, "rules"))
            yield

    @contextlib.contextmanager
    def _heard(self, monitor: Monitor, tell: Callable[[], None], what: str) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                drifted = monitor.drain()
            except OSError as error:
                log.error("netlink events: %s; %s are looked at now and then only", error, what)
                loop.remove_reader(monitor.fileno())
                drifted = True
            if drifted:
                tell()

        loop.add_reader(monitor.fileno(), readable)
        try:
            yield
        finally:
            loop.remove_reader(monitor.fileno())
            monitor.close()

    def _links_have_drifted(self) -> None:
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
        """On the netstack thread; its errors as one of ours."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, function, *arguments)
        except (NetstackError, OSError) as error:
            raise NetworkFault(f"{type(error).__name__}: {error}") from error
