"""Returns memory to the system after many clients have disconnected.

TLS connections free their memory in fragments, which the C library would keep: with every thousand further connections
the process would grow again. Owns nothing; checks the size of the process periodically.
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
# Trimming takes tens of milliseconds, so the process must have grown by this much since the last time.
GROWTH_BYTES: Final = 16 << 20
# The clients may still be connected at first, so memory is trimmed this many periods after a growth.
AGAIN: Final = (0, 1, 2, 4, 8, 16, 32, 64)


def resident_bytes() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def run(clock: Clock) -> None:
    """Runs until cancelled."""
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
    """Calls glibc's malloc_trim(3), if the C library has it; others keep less memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
