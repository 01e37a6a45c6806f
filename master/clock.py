"""The clock of the master's components: injected, so that tests control the time.

Owns the Protocol and its real implementation. The fake is tests/fakes/clock.py.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never jumps. For periods, grace and back-off."""

    def now(self) -> datetime:
        """The wall clock in UTC. Only for timestamps that people and clients read."""

    async def sleep(self, seconds: float) -> None:
        """Returns after this time."""


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
