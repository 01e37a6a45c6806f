"""A work queue of keys: each key is queued once, handled by one worker at a time, and retried after a failure.

Owns de-duplication, serialisation and back-off. Bounded by the number of distinct keys.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from collections import OrderedDict
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
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._busy: set[K] = set()
        # Added again while a worker handles them.
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        # When each delayed key is due: the earliest time that was asked for.
        self._due: dict[K, float] = {}
        # The same times, the earliest first; one that is not in `_due` any more has no effect.
        self._times: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        # The earliest time for which a timer runs.
        self._timer = math.inf
        self._wake = asyncio.Event()
        # Runs the timers while the queue runs.
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
        heapq.heappush(self._times, (when, next(self._order), key))
        self._set_timer()

    async def run(self, handler: Callable[[K], Awaitable[None]], *, workers: int) -> None:
        """Passes keys to the handler until cancelled. A key whose handler fails is retried with back-off."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._set_timer()
            for number in range(workers):
                group.create_task(self._work(handler), name=f"{self._name}: worker {number}")

    def _set_timer(self) -> None:
        """Starts a timer for the earliest time, unless one runs. A later one that runs already does no harm."""
        if self._group is None or not self._times or self._times[0][0] >= self._timer:
            return
        self._timer = self._times[0][0]
        self._group.create_task(self._wait(self._timer), name=f"{self._name}: later")

    async def _wait(self, until: float) -> None:
        await self._clock.sleep(until - self._clock.monotonic())
        now = max(until, self._clock.monotonic())
        while self._times and self._times[0][0] <= now:
            when, _, key = heapq.heappop(self._times)
            if self._due.get(key) == when:
                del self._due[key]
                self.add(key)
        if until == self._timer:
            self._timer = math.inf
        self._set_timer()

    async def _work(self, handler: Callable[[K], Awaitable[None]]) -> None:
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            key, _ = self._ready.popitem(last=False)
            self._busy.add(key)
            try:
                await self._handle(handler, key)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            # A handler may have nothing to wait for: other tasks must run all the same.
            await asyncio.sleep(0)

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
