"""Fakes for the pods' side: a clock that the test moves, a network, a reporter, file systems in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from agent.handlers import Handler
from agent.model import HostPort, Pod, PodUid, TokenSource
from agent.probes.interface import PASSED, Result, Target
from agent.statuses import Event, PodStatus


class HandClock:
    """Time moves only by `advance`, which wakes sleepers in order. `ahead_s`: how far the wall clock is set ahead."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.ahead_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def wall(self) -> float:
        return self.now + self.ahead_s

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        entry = (self.now + seconds, future)
        self._sleepers.append(entry)
        try:
            await future
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Let that much time pass and wake every sleeper that is due."""
        end = self.now + seconds
        await settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= end]:
            at, future = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove((at, future))
            self.now = max(self.now, at)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = end
        await settle()


async def settle(rounds: int = 60) -> None:
    """Run everything that can run without time passing; also waits for file operations if the loop's default executor
    has only one thread."""
    loop = asyncio.get_running_loop()
    for _ in range(8):
        for _ in range(rounds):
            await asyncio.sleep(0)
        await loop.run_in_executor(None, lambda: None)


def on_the_executor(job: Callable[[], None]) -> None:
    """Begins a job on the loop's default executor, for which `settle` waits."""
    asyncio.get_running_loop().run_in_executor(None, job)


class FakeNetwork:
    """Gives addresses in order; records claimed addresses and connected pods."""

    def __init__(self) -> None:
        self.addresses: dict[PodUid, IPv4Address] = {}
        self.wired: dict[PodUid, int] = {}
        self.ports: dict[PodUid, tuple[HostPort, ...]] = {}
        self.calls: list[str] = []
        self.failures: list[Exception] = []

    async def attach(self, uid: PodUid, pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        self.calls.append(f"attach {uid}")
        self.ports[uid] = tuple(ports)
        await asyncio.sleep(0)
        if pid <= 0:
            raise ValueError(f"pid {pid} has no network namespace")
        if self.failures:
            raise self.failures.pop(0)
        self.wired[uid] = pid
        return self.addresses.setdefault(uid, IPv4Address(0x0AF40102 + len(self.addresses)))

    async def detach(self, uid: PodUid) -> None:
        self.calls.append(f"detach {uid}")
        self.wired.pop(uid, None)

    async def release(self, uid: PodUid) -> None:
        self.calls.append(f"release {uid}")
        self.addresses.pop(uid, None)


class FakeIssuer:
    """Gives tokens that are numbered in the order in which they were asked for."""

    def __init__(self) -> None:
        self.asked: list[TokenSource] = []
        self.lifetime_s = 3600.0
        self.failure: Exception | None = None

    async def issue(self, pod: Pod, source: TokenSource) -> tuple[bytes, float]:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.asked.append(source)
        return f"token {len(self.asked)} of {pod.service_account}".encode(), self.lifetime_s


class FakeReporter:
    """Records all reports."""

    def __init__(self) -> None:
        self.statuses: dict[PodUid, PodStatus] = {}
        self.history: list[PodStatus] = []
        self.events: list[Event] = []
        self.gone: list[PodUid] = []

    def report(self, status: PodStatus) -> None:
        self.statuses[status.uid] = status
        self.history.append(status)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def removed(self, uid: PodUid) -> None:
        self.gone.append(uid)

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]


class FakeBinds:
    """Records what would be mounted where."""

    def __init__(self) -> None:
        self.mounted: dict[Path, Path] = {}
        self.read_only: set[Path] = set()
        self.left_out_of_trees: set[Path] = set()

    def bind(self, descriptor: int, target: Path) -> None:
        assert target.exists()
        self.mounted[target] = Path(f"/proc/self/fd/{descriptor}").readlink()

    def bind_read_only(self, descriptor: int, target: Path) -> None:
        assert self.left_out_of_trees & set(target.parents)
        self.bind(descriptor, target)
        self.read_only.add(target)

    def bind_files(self, descriptor: int, target: Path) -> None:
        self.bind(descriptor, target)

    def left_out(self, directory: Path) -> None:
        assert directory.is_dir()
        self.left_out_of_trees.add(directory)

    def unmount(self, target: Path) -> None:
        self.mounted.pop(target, None)
        self.left_out_of_trees.discard(target)


class FakeMemoryFiles:
    """Plain directories, recorded as mounted."""

    def __init__(self) -> None:
        self.mounted: dict[Path, int] = {}
        self.groups: dict[Path, int | None] = {}
        self.modes: dict[Path, int] = {}

    def mount(self, directory: Path, *, size_bytes: int, group: int | None = None, mode: int = 0o777) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.modes.setdefault(directory, mode)
        self.mounted.setdefault(directory, size_bytes)
        self.groups.setdefault(directory, group)

    def unmount(self, directory: Path) -> None:
        self.mounted.pop(directory, None)


class FakeProber:
    """Probes and hooks succeed at once, unless a test says otherwise."""

    def __init__(self) -> None:
        self.results: dict[Handler, Result] = {}
        self.problems: dict[Handler, str] = {}
        """What goes wrong with hooks."""
        self.held: dict[Handler, asyncio.Event] = {}
        """Hooks that go on until their event is set."""
        self.probes: list[tuple[Handler, Target]] = []
        self.hooks: list[tuple[Handler, Target]] = []
        self.cancelled: list[Handler] = []

    async def probe(self, handler: Handler, target: Target, *, timeout_s: float) -> Result:
        await asyncio.sleep(0)
        self.probes.append((handler, target))
        return self.results.get(handler, PASSED)

    async def hook(self, handler: Handler, target: Target, *, timeout_s: float) -> str:
        self.hooks.append((handler, target))
        try:
            if handler in self.held:
                await self.held[handler].wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(handler)
            raise
        return self.problems.get(handler, "")
