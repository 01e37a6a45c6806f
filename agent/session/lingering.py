"""Connections of sessions that were replaced on purpose: they stay until their streams have ended.

A command, a log or a forwarded connection may last longer than a certificate. Owns the tasks of these streams and the
end of their connections; their number is limited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Final

MAX_CONNECTIONS: Final = 2
"""A certificate is renewed rarely. A master that asks for it all the time must not fill the node's memory."""

Stream = asyncio.Task[None]


class Lingering:
    """The connections of earlier sessions that still have streams, the oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[None], Collection[Stream]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def keep(self, connection: AsyncExitStack, streams: Collection[Stream]) -> None:
        """Close the connection when the streams have ended. With too many connections, the oldest is closed at once."""
        if len(self._waiting) >= MAX_CONNECTIONS:
            await self._cut(next(iter(self._waiting)))
        waiting = asyncio.create_task(_close_after(connection, streams), name="streams of an earlier session")
        self._waiting[waiting] = streams
        waiting.add_done_callback(lambda done: self._waiting.pop(done, None))

    async def aclose(self) -> None:
        """End all streams, and close the connections."""
        for waiting in list(self._waiting):
            await self._cut(waiting)

    async def _cut(self, waiting: asyncio.Task[None]) -> None:
        for stream in self._waiting.pop(waiting, ()):
            stream.cancel()
        await asyncio.wait({waiting})


async def _close_after(connection: AsyncExitStack, streams: Collection[Stream]) -> None:
    async with connection:
        await asyncio.wait(streams)
