"""A SPDY connection in memory, with a client whose frames a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from master.api.remote.multiplexer import Multiplexer
from tests.spdyclient import Frame, SpdyClient


class Pipe:
    """A transport whose two ends are in memory. Unless it is `flowing`, the client does not read."""

    def __init__(self) -> None:
        self.spdy = SpdyClient()
        self.sent: list[Frame] = []
        self.read_bytes = 0
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._received: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, received: bytes) -> None:
        self._received.put_nowait(received)

    def open(self, *stream_ids: int) -> None:
        for stream_id in stream_ids:
            self.put(self.spdy.open(stream_id, {"number": str(stream_id)}))

    async def read(self) -> bytes:
        received = await self._received.get()
        self.read_bytes += len(received)
        return received

    async def write(self, data: bytes) -> None:
        await self.flowing.wait()
        self.sent += self.spdy.frames(data)


@asynccontextmanager
async def running(pipe: Pipe) -> AsyncIterator[Multiplexer]:
    multiplexer = Multiplexer(pipe)
    multiplexer.start()
    try:
        yield multiplexer
    finally:
        await multiplexer.aclose()
