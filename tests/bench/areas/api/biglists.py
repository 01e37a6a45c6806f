"""Sixteen big lists at once. The clients read in step, so that all of the lists are in progress until the end.

A client that is more than `_AHEAD_BYTES` ahead of the slowest one reads only once in `_PERIOD_S`: often enough that the
master does not close its connection (`stalled_timeout_s`).
"""

from __future__ import annotations

import asyncio
import ssl

from tests.bench.areas.api import pods
from tests.bench.areas.api.connection import Connection, check
from tests.bench.areas.api.servers import Server
from tests.bench.areas.api.single import PATH

_AHEAD_BYTES = 1 << 20
_PERIOD_S = 1.0


async def grown_mb(server: Server, lists: int, items: int) -> float:
    """By how much the lists raise the peak of the server's resident memory."""
    step = _Step()
    readers = [await step.reader(server.port, server.tls) for _ in range(lists)]
    server.reset_peak()
    before = server.resident_mb()
    slow = asyncio.create_task(step.read_slowly(), name="slow readers")
    responses = await asyncio.gather(*(reader.ask(pods.request("GET", PATH), keep=False) for reader in readers))
    slow.cancel()
    grown = server.peak_mb() - before
    for reader, response in zip(readers, responses, strict=True):
        check(response, 200)
        assert response.size > 1000 * items, f"the list has only {response.size} bytes"
        reader.close()
    return grown


class _Step:
    """Pauses the readers that are ahead."""

    def __init__(self) -> None:
        self._readers: list[_Reader] = []

    async def reader(self, port: int, tls: ssl.SSLContext) -> _Reader:
        reader = await _Reader.open(port, tls)
        reader.step = self
        self._readers.append(reader)
        return reader

    async def read_slowly(self) -> None:
        """Lets the readers that are ahead read once in a while, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_S)
            for reader in self._readers:
                reader.pause(paused=False)

    def advanced(self) -> None:
        limit = min((reader.read for reader in self._readers if not reader.complete), default=0) + _AHEAD_BYTES
        for reader in self._readers:
            reader.pause(paused=not reader.complete and reader.read > limit)


class _Reader(Connection):
    """A connection that can be paused."""

    step: _Step

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.complete = False
        self._paused = False

    def data_received(self, data: bytes) -> None:
        self.read += len(data)
        super().data_received(data)
        self.complete = self._response is None
        self.step.advanced()

    def pause(self, *, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            (self._transport.pause_reading if paused else self._transport.resume_reading)()
