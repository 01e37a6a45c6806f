"""Wall time, monotonic time and waiting behind a Protocol, so that tests can control them.

Owns the Protocol and the system's clock. Wall time is for dates that people read, monotonic time for measuring waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

_POLL_S: Final = 0.1


class Clock(Protocol):
    """Wall and monotonic time, and waiting; all in seconds."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that long."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def within(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """As asyncio.timeout, by this clock: raises TimeoutError if the block takes longer."""
    async with asyncio.timeout(None) as limit:

        async def expire() -> None:
            await clock.sleep(seconds)
            limit.reschedule(asyncio.get_running_loop().time())

        expiry = asyncio.create_task(expire(), name="deadline")
        try:
            yield
        finally:
            expiry.cancel()


async def wait_until(clock: Clock, condition: Callable[[], bool], *, within_s: float) -> None:
    """Return when the condition is true, or after `within_s`. It is looked at every 0.1 s."""
    with suppress(TimeoutError):
        async with within(clock, within_s):
            while not condition():
                await clock.sleep(_POLL_S)
