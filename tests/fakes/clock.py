"""A clock whose time changes only when a test advances it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


async def settle(rounds: int = 100) -> None:
    """Lets all tasks run until they wait."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class FakeClock:
    """`advance` wakes sleepers in the order of their deadlines and lets each of them run.

    `ahead` is the time by which the wall clock was set forward.
    """

    def __init__(self, monotonic: float = 1000.0) -> None:
        self.ahead = timedelta()
        self._origin = monotonic
        self._monotonic = monotonic
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self._monotonic

    def now(self) -> datetime:
        return START + timedelta(seconds=self._monotonic - self._origin) + self.ahead

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        end = self._monotonic + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            deadline, _, wake = heapq.heappop(self._sleepers)
            self._monotonic = max(self._monotonic, deadline)
            if not wake.done():
                wake.set_result(None)
            await settle()
        self._monotonic = end
        await settle()
