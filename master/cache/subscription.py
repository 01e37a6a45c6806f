"""One follower of the cache: a bounded queue of batches. Who falls behind is told to start over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from master.cache.entry import Change
from master.objects.kind import KindSpec

# A queue of large objects ends here, however few they are.
MAX_BYTES = 32 << 20


class Lagged(Exception):
    """The queue overflowed: changes are missing, subscribe again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit changed of the kinds that were subscribed to."""

    revision: int
    changes: tuple[Change, ...]

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, its share of what others hold too."""
        return sum(len(change.entry.raw) for change in self.changes)


class Subscription:
    """A snapshot and all that comes after it. Leave its `with` block, or it keeps its place."""

    def __init__(
        self,
        kinds: frozenset[KindSpec[Any]],
        revision: int,
        limit: int,
        *,
        snapshot: list[tuple[KindSpec[Any], Any]],
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
        """Called by the cache for every commit that concerns this follower."""
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
        """Whether everything that was committed has been taken."""
        return not self._queue and not self._lagged

    async def next(self) -> Batch:
        """The next batch; Lagged when some were dropped. Safe to cancel: nothing is lost."""
        while not self._queue:
            if self._lagged:
                raise Lagged
            self._wake.clear()
            await self._wake.wait()
        return self._pop()

    def take(self) -> Batch | None:
        """The next batch if there is one already."""
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
