"""The credit of one direction of a stream: the number of bytes that may be sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proto import contract


class Credit:
    """Bytes that the reader has granted and the sender has not used."""

    def __init__(self) -> None:
        self._bytes = 0
        self._more = asyncio.Event()

    def add(self, size: int) -> None:
        """The reader grants more."""
        self._bytes += size
        self._more.set()

    async def pieces(self, data: bytes) -> AsyncIterator[bytes]:
        """The data in pieces that may be sent: each when the credit is there, and of one message's size at most."""
        sent = 0
        while sent < len(data):
            size = await self.take(min(len(data) - sent, contract.STREAM_CHUNK_BYTES))
            yield data[sent : sent + size]
            sent += size

    async def take(self, limit: int) -> int:
        """Wait for credit and take between one byte and `limit`."""
        while not self._bytes:
            self._more.clear()
            await self._more.wait()
        taken = min(self._bytes, limit)
        self._bytes -= taken
        return taken
