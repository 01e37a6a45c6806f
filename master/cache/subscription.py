"""One subscriber of the cache: the batches that it has not taken yet, and the sink for those that it takes at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from master.cache.backlog import Backlog, Batch, Lagged
from master.cache.decoding import Unreadable
from master.cache.entry import Entry
from master.registry.resource import Resource

log = logging.getLogger(__name__)

Sink = Callable[[Batch], bool]
"""Takes a batch while the cache publishes it. Returns False to have it queued. It must not block or raise."""


class Snapshot:
    """The objects at the time of the subscription, in the order of kinds and keys.

    They are decoded one by one while they are read, and a part that was read is dropped. So it can be read once.
    """

    def __init__(self, lists: Sequence[list[Entry]]) -> None:
        """`lists`: the objects of each kind. They are emptied while they are read."""
        self._lists = lists
        for entries in lists:
            # Items leave a list at its end.
            entries.reverse()

    def __len__(self) -> int:
        return sum(map(len, self._lists))

    def entries(self) -> Iterator[Entry]:
        """The objects that have not been read yet, not decoded."""
        for entries in self._lists:
            while entries:
                yield entries.pop()

    def __iter__(self) -> Iterator[tuple[Resource[Any], Any]]:
        """Kind and typed object of each. Objects that cannot be decoded are left out; the log names them."""
        for entry in self.entries():
            try:
                obj = entry.read()
            except Unreadable:
                continue
            yield entry.kind, obj


class Subscription:
    """A snapshot and all changes after it. Use it in a `with` block, or close it: until then the cache feeds it."""

    def __init__(
        self,
        kinds: frozenset[Resource[Any]],
        revision: int,
        backlog: Backlog,
        *,
        snapshot: Sequence[list[Entry]] = (),
        sink: Sink | None = None,
        leave: Callable[[Subscription], None],
    ) -> None:
        self.kinds = kinds
        self.revision = revision
        """The revision of the snapshot, and then of the last batch that was taken."""
        self.snapshot = Snapshot(snapshot)
        self._backlog = backlog
        self._sink = sink
        self._leave = leave
        self._lagged = False
        self._wake = asyncio.Event()

    def push(self, batch: Batch) -> None:
        """Passes a batch to the sink, or queues it. Called by the cache for every commit that changes one of `kinds`.

        While batches are queued, the sink gets none, so that the order is kept.
        """
        if self._lagged:
            return
        if self._sink is not None and not self._backlog and self._taken(self._sink, batch):
            self.revision = batch.revision
        elif self._backlog.push(batch):
            self._wake.set()
        else:
            self.lag()

    def _taken(self, sink: Sink, batch: Batch) -> bool:
        try:
            return sink(batch)
        except Exception:
            # The other subscribers must get the batch. What this one has sent is unknown.
            log.exception("a subscriber failed")
            self.lag()
            return True

    def lag(self) -> None:
        """Drops what is queued: the subscriber has to start over. Also called when one of the kinds goes."""
        self._lagged = True
        self._backlog.clear()
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is queued and no change was dropped."""
        return not self._backlog and not self._lagged

    async def next(self) -> Batch:
        """Waits for the next batch. Raises Lagged when changes were dropped. Safe to cancel: no batch is lost."""
        while not self._backlog:
            if self._lagged:
                raise Lagged
            self._wake.clear()
            await self._wake.wait()
        return self._pop()

    def take(self) -> Batch | None:
        """The next batch, or None when none is queued. Raises Lagged."""
        if self._lagged:
            raise Lagged
        return self._pop() if self._backlog else None

    def _pop(self) -> Batch:
        batch = self._backlog.pop()
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
