"""The event loop of a prober: many probes at once over one epoll, on the caller's thread.

Must run inside the namespace of the probes, as it opens their sockets. Results are in the order of the probes. At most
`at_once` probes are in progress, so that descriptors and ports do not run out.
"""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netrig.probe.attempts import READ, SILENT, TcpAttempt, UdpAttempt, Verdict
from netrig.probe.echo import Echo
from netrig.probe.model import Probe, Protocol, Result


@dataclass(slots=True)
class _Open:
    """A probe in progress. `attempt` is None for ICMP, which uses a common socket."""

    number: int
    probe: Probe
    started: float
    attempt: TcpAttempt | UdpAttempt | None = None
    events: int = 0


class Engine:
    """One run. Closes all sockets that it opened, also after an error."""

    def __init__(self, origin: str, *, at_once: int) -> None:
        self._origin = origin
        self._at_once = at_once
        self._results: dict[int, Result] = {}
        self._by_fd: dict[int, _Open] = {}
        self._echoes: dict[int, _Open] = {}
        self._deadlines: list[tuple[float, int, _Open]] = []
        self._echo: Echo | None = None

    def run(self, probes: Iterable[Probe]) -> list[Result]:
        """Run all probes. Raises OSError if the kernel has no free sockets or ports."""
        self._epoll = select.epoll()
        try:
            waiting = enumerate(probes)
            self._fill(waiting)
            while self._by_fd or self._echoes:
                self._step()
                self._fill(waiting)
        finally:
            self._close()
        return [self._results[number] for number in sorted(self._results)]

    def _fill(self, waiting: Iterator[tuple[int, Probe]]) -> None:
        """Start probes until `at_once` are in progress."""
        while len(self._by_fd) + len(self._echoes) < self._at_once:
            item = next(waiting, None)
            if item is None:
                return
            number, probe = item
            started = _Open(number, probe, time.perf_counter())
            if probe.protocol is Protocol.ICMP:
                self._start_echo(started)
            else:
                started.attempt = UdpAttempt(probe) if probe.protocol is Protocol.UDP else TcpAttempt(probe)
                self._by_fd[started.attempt.socket.fileno()] = started
                self._proceed(started, started.attempt.start())

    def _start_echo(self, started: _Open) -> None:
        if self._echo is None:
            self._echo = Echo()
            self._epoll.register(self._echo.socket.fileno(), READ)
        verdict = self._echo.send(started.probe, started.number)
        if verdict is not None:
            self._finish(started, verdict)
            return
        self._echoes[started.number & 0xFFFF] = started
        self._set_deadline(started)

    def _step(self) -> None:
        """Wait for events until the first deadline; then end the overdue probes."""
        while self._deadlines and self._deadlines[0][2].number in self._results:
            heapq.heappop(self._deadlines)
        timeout_s = max(0.0, self._deadlines[0][0] - time.perf_counter()) if self._deadlines else 1.0
        # Epoll rounds up to milliseconds.
        for fd, _ in self._epoll.poll(timeout_s):
            if self._echo is not None and fd == self._echo.socket.fileno():
                self._read_echoes(self._echo)
            elif (item := self._by_fd.get(fd)) is not None and item.attempt is not None:
                self._proceed(item, item.attempt.on_event())
        now = time.perf_counter()
        while self._deadlines and self._deadlines[0][0] <= now:
            overdue = heapq.heappop(self._deadlines)[2]
            if overdue.number not in self._results:
                self._finish(overdue, SILENT)

    def _proceed(self, item: _Open, next_step: Verdict | int) -> None:
        if isinstance(next_step, Verdict):
            self._finish(item, next_step)
            return
        if next_step == item.events or item.attempt is None:
            return
        if item.events:
            self._epoll.modify(item.attempt.socket.fileno(), next_step)
        else:
            self._epoll.register(item.attempt.socket.fileno(), next_step)
            self._set_deadline(item)
        item.events = next_step

    def _set_deadline(self, item: _Open) -> None:
        heapq.heappush(self._deadlines, (item.started + item.probe.timeout_s, item.number, item))

    def _read_echoes(self, echo: Echo) -> None:
        for number, verdict in echo.receive():
            if (item := self._echoes.get(number)) is not None:
                self._finish(item, verdict)

    def _finish(self, item: _Open, verdict: Verdict) -> None:
        passed = time.perf_counter() - item.started
        if item.attempt is not None:
            fd = item.attempt.socket.fileno()
            del self._by_fd[fd]
            if item.events:
                # close() alone is not enough: if another thread is just starting a program, the child has a copy of
                # the socket, and the epoll keeps reporting a descriptor number that may be in use again.
                self._epoll.unregister(fd)
            item.attempt.socket.close()
        else:
            self._echoes.pop(item.number & 0xFFFF, None)
        self._results[item.number] = Result(
            self._origin,
            item.probe,
            verdict.outcome,
            passed,
            verdict.detail,
            verdict.server,
            verdict.seen,
            verdict.seen_port,
            verdict.status,
            verdict.body,
        )

    def _close(self) -> None:
        for item in self._by_fd.values():
            if item.attempt is not None:
                item.attempt.socket.close()
        if self._echo is not None:
            self._echo.socket.close()
        self._epoll.close()
