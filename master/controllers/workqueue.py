"""A queue of keys to look at: each key once, one worker a key at a time, and again later when looking failed.

Owns de-duplication, serialisation and back-off. Bounded by the number of distinct keys.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from master.api.errors import ApiError
from master.clock import Clock
from master.store.errors import StoreError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

# Kubernetes' controllers begin at 5 ms and end at 1000 s; a minute is as kind to the master and quicker to recover.
FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 60.0


class WorkQueue(Generic[K]):
    """Keys go in by `add`; `run` hands them to a handler."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._ready: dict[K, None] = {}
        self._busy: set[K] = set()
        # Asked for again while being looked at.
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        # The earliest time at which each waiting key is due.
        self._due: dict[K, float] = {}
        self._wake = asyncio.Event()
        # Holds the sleepers while the queue runs.
        self._group: asyncio.TaskGroup | None = None

    def add(self, key: K) -> None:
        """Look at this key soon."""
        if key in self._busy:
            self._again.add(key)
            return
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Look at this key after that long; of several times for one key the earliest counts."""
        when = self._clock.monotonic() + seconds
        if self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        if self._group is not None:
            self._group.create_task(self._wait(key, when), name=f"{self._name}: later {key}")

    async def run(self, handler: Callable[[K], Awaitable[None]], *, workers: int) -> None:
        """Hands out keys until cancelled. A handler that fails is tried again with growing pauses."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key, when in self._due.items():
                group.create_task(self._wait(key, when), name=f"{self._name}: later {key}")
            for number in range(workers):
                group.create_task(self._work(handler), name=f"{self._name}: worker {number}")

    async def _wait(self, key: K, when: float) -> None:
        await self._clock.sleep(when - self._clock.monotonic())
        if self._due.get(key) == when:
            del self._due[key]
            self.add(key)

    async def _work(self, handler: Callable[[K], Awaitable[None]]) -> None:
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._ready))
            del self._ready[key]
            self._busy.add(key)
            try:
                await self._handle(handler, key)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _handle(self, handler: Callable[[K], Awaitable[None]], key: K) -> None:
        try:
            await handler(key)
        except (ApiError, StoreError) as error:
            log.info("%s: %s: %s; trying again", self._name, key, error)
        except Exception:
            log.exception("%s: %s: unexpected error; trying again", self._name, key)
        else:
            self._failures.pop(key, None)
            return
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, min(FIRST_RETRY_S * 2 ** min(failures - 1, 20), LONGEST_RETRY_S))
