"""A work queue of keys: each key is queued once, handled by one worker at a time, and retried after a failure.

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

# Kubernetes' controllers back off from 5 ms to 1000 s; a minute loads the master hardly more and recovers sooner.
FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 60.0


class WorkQueue(Generic[K]):
    """`add` queues a key; `run` passes keys to a handler."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._ready: dict[K, None] = {}
        self._busy: set[K] = set()
        # Added again while a worker handles them.
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        # When each delayed key is due: the earliest time that was asked for.
        self._due: dict[K, float] = {}
        self._wake = asyncio.Event()
        # Runs the timers of delayed keys while the queue runs.
        self._group: asyncio.TaskGroup | None = None

    def add(self, key: K) -> None:
        """Queue the key."""
        if key in self._busy:
            self._again.add(key)
            return
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Queue the key after this delay; of several delays for one key the earliest time counts."""
        when = self._clock.monotonic() + seconds
        if self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        if self._group is not None:
            self._group.create_task(self._wait(key, when), name=f"{self._name}: later {key}")

    async def run(self, handler: Callable[[K], Awaitable[None]], *, workers: int) -> None:
        """Passes keys to the handler until cancelled. A key whose handler fails is retried with back-off."""
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
            log.info("%s: %s: %s; will retry", self._name, key, error)
        except Exception:
            log.exception("%s: %s: unexpected error; will retry", self._name, key)
        else:
            self._failures.pop(key, None)
            return
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, min(FIRST_RETRY_S * 2 ** min(failures - 1, 20), LONGEST_RETRY_S))
