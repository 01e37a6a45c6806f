"""Keeps memory small and the garbage collector's pauses short.

Python's garbage collector finds cycles of references by visiting all containers that it knows. With 150,000 pods that
takes longer than the event loop may stop. So what is there after the start is never visited again (`freeze`), young
objects are visited often, and the others when the process has little to do.

TLS connections free their memory in fragments, which the C library would keep: with every thousand further connections
the process would grow again. So free memory is returned to the system after the process has grown.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from pathlib import Path
from typing import Final

from master.clock import Clock

PERIOD_S: Final = 5.0
# Trimming takes tens of milliseconds, so the process must have grown by this much since the last time.
GROWTH_BYTES: Final = 16 << 20
# The clients may still be connected at first, so memory is trimmed this many periods after a growth.
AGAIN: Final = (0, 1, 2, 4, 8, 16, 32, 64)


# Collections of young objects after this many of them, and of those that survived after this many collections: a few
# milliseconds each.
YOUNG: Final = 2_000
MIDDLE: Final = 10
# Old objects are collected by `run` alone: when less than this share of one processor was used in the last period ...
IDLE_SHARE: Final = 0.3
# ... or after this many collections of younger ones, whatever else there is to do.
OVERDUE: Final = 1_000
_NEVER: Final = 1 << 30
# After a longer collection, what is left is exempt from the next ones.
LONGEST_S: Final = 0.02
# The components have read the cache and the first clients are connected: what they hold is long-lived, too.
SETTLED_AFTER_S: Final = 30.0


def prepare() -> None:
    """Collects nothing until `freeze`. Called when the process starts: what modules and objects make is long-lived."""
    gc.disable()


def freeze() -> None:
    """Called after the process has loaded its objects. Exempts all that exist now from future collections.

    From now on young objects are collected; the collection of old ones is left to `run`. Loading needs more memory than
    what is loaded. The rest is returned to the system.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, _NEVER)
    gc.enable()
    _trim()


class OldObjects:
    """Collects old objects when the process has little to do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._settled_at: float | None = clock.monotonic() + SETTLED_AFTER_S
        self._checked_at = clock.monotonic()
        self._used_s = time.process_time()

    def check(self) -> None:
        """Called periodically. Collects if it is time to."""
        now, used_s = self._clock.monotonic(), time.process_time()
        is_idle = used_s - self._used_s < IDLE_SHARE * (now - self._checked_at)
        self._checked_at, self._used_s = now, used_s
        if self._settled_at is not None:
            if now >= self._settled_at:
                self._settled_at = None
                # Without a full collection, which would visit everything that the components have made.
                gc.collect(1)
                gc.freeze()
            return
        collections = gc.get_count()[2]
        if collections >= OVERDUE or (is_idle and collections):
            self._collect()

    def _collect(self) -> None:
        started = time.perf_counter()
        gc.collect()
        if time.perf_counter() - started > LONGEST_S:
            # Much has come to stay since the last time. A cycle in it that becomes garbage later stays in memory.
            gc.freeze()


def resident_bytes() -> int:
    """The resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def run(clock: Clock) -> None:
    """Runs until cancelled."""
    least, periods = resident_bytes(), max(AGAIN) + 1
    old = OldObjects(clock)
    while True:
        await clock.sleep(PERIOD_S)
        old.check()
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
