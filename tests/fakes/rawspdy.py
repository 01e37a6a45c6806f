"""A client by SPDY over HTTPS for tests, which can send what no kubectl would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.fakes.processbed import POD, Bed
from tests.spdyclient import Frame, SpdyClient

V4 = "v4.channel.k8s.io"


class Raw:
    """A client that writes bytes, and collects the frames that it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.spdy = SpdyClient()
        self.head = ""
        self.frames: list[Frame] = []
        self.closed = False
        self._reader, self._writer = reader, writer

    async def ask(self, path: str, headers: dict[str, str]) -> None:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await self.send(f"POST {path} HTTP/1.1\r\nHost: master\r\n{fields}\r\n".encode())
        self.head = (await self._reader.readuntil(b"\r\n\r\n")).decode()

    async def send(self, frames: bytes) -> None:
        self._writer.write(frames)
        await self._writer.drain()

    async def open(self, *names: str) -> None:
        for number, name in enumerate(names):
            await self.send(self.spdy.open(2 * number + 1, {"streamtype": name}))

    async def receive(self, until: Callable[[], Any]) -> None:
        """Read frames until the condition holds, or the server has closed."""
        while not self.closed and not until():
            received = await self._reader.read(1 << 16)
            self.closed = not received
            self.frames += self.spdy.frames(received)

    def received(self, stream_id: int) -> bytes:
        return b"".join(frame.payload for frame in self.frames if (frame.kind, frame.stream_id) == (0, stream_id))

    def ended(self, stream_id: int) -> bool:
        return any(frame.flags for frame in self.frames if (frame.kind, frame.stream_id) == (0, stream_id))

    def kinds(self, kind: int) -> list[int]:
        return [frame.stream_id for frame in self.frames if frame.kind == kind]


@asynccontextmanager
async def connected(
    bed: Bed, query: str = "command=run&stdin=1&stdout=1&stderr=1", protocol: str = V4, *, verb: str = "exec"
) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bed.client.port, ssl=bed.client.context)
    raw = Raw(reader, writer)
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": protocol}
    await raw.ask(f"{POD}/{verb}?{query}", headers)
    try:
        yield raw
    finally:
        writer.transport.abort()
