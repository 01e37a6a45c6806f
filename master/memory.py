"""Gives memory back to the system after a crowd of clients has left.

What TLS connections held is freed in pieces, between others, and the C library would keep it for ever: a thousand
connections more, and the process is as much larger again. Owns nothing; looks at the process from time to time.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from pathlib import Path
from typing import Final

from master.clock import Clock

PERIOD_S: Final = 5.0
# So much more than after the last time is worth the tens of milliseconds that it takes.
GROWTH_BYTES: Final = 16 << 20
# Whoever it was for may be there still: periods after a growth at which is looked again.
AGAIN: Final = (0, 1, 2, 4, 8, 16, 32, 64)


def resident_bytes() -> int:
    """What the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def run(clock: Clock) -> None:
    """Until cancelled."""
    least, periods = resident_bytes(), max(AGAIN) + 1
    while True:
        await clock.sleep(PERIOD_S)
        now = resident_bytes()
        least = min(least, now)
        periods = 0 if now - least > GROWTH_BYTES else periods + 1
        if periods in AGAIN:
            gc.collect()
            await asyncio.to_thread(_trim)
            least = resident_bytes()


def _trim() -> None:
    """glibc's malloc_trim(3); other C libraries have none and keep less."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
