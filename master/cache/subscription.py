"""One subscriber of the cache: a bounded queue of batches. A subscriber that falls behind has to start over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from master.cache.entry import Change
from master.registry.resource import Resource

# Limit of a queue in bytes of JSON, beside its limit in changes: a few changes of large objects need much memory.
MAX_BYTES = 32 << 20


class Lagged(Exception):
    """The queue overflowed and changes were dropped. The subscriber has to subscribe again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The changes of one commit to the subscribed kinds."""

    revision: int
    changes: tuple[Change, ...]

    @property
    def size_bytes(self) -> int:
        """The size of the changed objects as JSON, although other queues may share these bytes."""
        return sum(len(change.entry.raw) for change in self.changes)


class Subscription:
    """A snapshot and all changes after it. Use it in a `with` block, or close it: until then the cache feeds it."""

    def __init__(
        self,
        kinds: frozenset[Resource[Any]],
        revision: int,
        limit: int,
        *,
        snapshot: list[tuple[Resource[Any], Any]],
        leave: Callable[[Subscription], None],
    ) -> None:
        self.kinds = kinds
        self.revision = revision
        self.snapshot = snapshot
        self._limit = limit
        self._leave = leave
        self._queue: deque[Batch] = deque()
        self._size = 0
        self._bytes = 0
        self._lagged = False
        self._wake = asyncio.Event()

    def push(self, batch: Batch) -> None:
        """Queues a batch. Called by the cache for every commit that changes one of `kinds`."""
        if self._lagged:
            return
        self._size += len(batch.changes)
        self._bytes += batch.size_bytes
        if self._size > self._limit or self._bytes > MAX_BYTES:
            self._lagged = True
            self._queue.clear()
        else:
            self._queue.append(batch)
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether the queue is empty and no change was dropped."""
        return not self._queue and not self._lagged

    async def next(self) -> Batch:
        """Waits for the next batch. Raises Lagged when changes were dropped. Safe to cancel: no batch is lost."""
        while not self._queue:
            if self._lagged:
                raise Lagged
            self._wake.clear()
            await self._wake.wait()
        return self._pop()

    def take(self) -> Batch | None:
        """The next batch, or None when none is queued. Raises Lagged."""
        if self._lagged:
            raise Lagged
        return self._pop() if self._queue else None

    def _pop(self) -> Batch:
        batch = self._queue.popleft()
        self._size -= len(batch.changes)
        self._bytes -= batch.size_bytes
        self.revision = batch.revision
        return batch

    def close(self) -> None:
        self._leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        return await self.next()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
