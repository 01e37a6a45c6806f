"""Loads: many clients, each of which sends its next request when it has the response to the last one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.areas.api.connection import Connection, check
from tests.bench.areas.api.response import Response
from tests.bench.figure import p99

Following = Callable[[], bytes]
"""Returns the next request."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of a load achieved: requests, their rate per second, and the 99th percentile of their times."""

    requests: int
    rate: float
    p99_s: float


def rates(loads: Iterable[Load]) -> float:
    """The median of the rounds."""
    return median(load.rate for load in loads)


def p99s(loads: Iterable[Load]) -> float:
    """The median of the rounds, in seconds."""
    return median(load.p99_s for load in loads)


def ratio(ours: Iterable[float], floor: Iterable[float]) -> float:
    """The median of the ratios of neighbouring rounds, so that a slow minute of the machine hits both."""
    return median(our / low for our, low in zip(ours, floor, strict=True))


async def run(
    clients: Sequence[Connection],
    request: Following,
    seconds: float,
    *,
    status: int = 200,
    stopped: Callable[[], bool] = lambda: False,
) -> Load:
    """Runs for a time, or until `stopped`. Raises RuntimeError if a response has another status."""
    return await _Run(request, seconds, status, stopped).run(clients)


class _Run:
    def __init__(self, request: Following, seconds: float, status: int, stopped: Callable[[], bool]) -> None:
        self.request = request
        self.times: list[float] = []
        self._status = status
        self._stopped = stopped
        self._begin = time.perf_counter()
        self._end = self._begin + seconds
        self._left = 0
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, clients: Sequence[Connection]) -> Load:
        self._left = len(clients)
        for connection in clients:
            _Client(self, connection).send()
        await self._finished
        number = len(self.times)
        return Load(number, number / (time.perf_counter() - self._begin), p99(self.times))

    def goes_on(self, now: float, response: Response) -> bool:
        """Whether the client of this response sends another request."""
        if response.status != self._status or not response.complete:
            self._fail(response)
            return False
        if now < self._end and not self._stopped():
            return True
        self._left -= 1
        if not self._left and not self._finished.done():
            self._finished.set_result(None)
        return False

    def _fail(self, response: Response) -> None:
        try:
            check(response, self._status)
        except RuntimeError as error:
            if not self._finished.done():
                self._finished.set_exception(error)


class _Client:
    __slots__ = ("_begin", "_connection", "_run")

    def __init__(self, run: _Run, connection: Connection) -> None:
        self._run = run
        self._connection = connection
        self._begin = 0.0

    def send(self) -> None:
        request = self._run.request()
        self._begin = time.perf_counter()
        self._connection.send(request, self._answered)

    def _answered(self, response: Response) -> None:
        now = time.perf_counter()
        self._run.times.append(now - self._begin)
        if self._run.goes_on(now, response):
            self.send()
