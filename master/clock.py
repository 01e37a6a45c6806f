"""Time as the master's parts see it: injected, so that tests turn it by hand.

Owns the Protocol and its real implementation. The fake is tests/fakes/clock.py.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never jumps. For periods, grace and back-off."""

    def now(self) -> datetime:
        """The wall clock, in UTC. Only for timestamps that people and clients read."""

    async def sleep(self, seconds: float) -> None:
        """Returns after that long."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
