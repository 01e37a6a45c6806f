"""Gate: bounds how many calls to the engine are in progress. A call that is stuck gives its place to others.

Owns the places. Knows nothing of the calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Place:
    """A place at the gate. It is lost when `touch` has not been called for the gate's patience."""

    def __init__(self, places: asyncio.Semaphore, patience_s: float) -> None:
        self._places = places
        self._patience_s = patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._held = True
        self.touch()

    def touch(self) -> None:
        """The call makes progress."""
        if self._held:
            self._stop_timer()
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self.leave)

    def leave(self) -> None:
        """Give the place to the next call. The call itself may go on."""
        self._stop_timer()
        if self._held:
            self._held = False
            self._places.release()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Gate:
    """At most `places` calls are in progress, besides those that have made no progress for `patience_s`."""

    def __init__(self, places: int, *, patience_s: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience_s = patience_s

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[Place]:
        """Wait for a place, and hold it for the block."""
        await self._places.acquire()
        place = Place(self._places, self._patience_s)
        try:
            yield place
        finally:
            place.leave()
