"""What a subscriber has not taken yet: every change, or for each object only its latest state."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from master.cache.entry import ADDED, DELETED, MODIFIED, Change, Entry, Key
from master.registry.resource import Resource

# Limit of a queue in bytes of JSON, beside its limit in changes: a few changes of large objects need much memory.
MAX_BYTES = 32 << 20


class Lagged(Exception):
    """Changes were dropped, or the kinds have changed. The subscriber has to subscribe again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The changes of one commit to the subscribed kinds, or with `latest` of all commits since the last batch."""

    revision: int
    changes: tuple[Change, ...]

    @property
    def size_bytes(self) -> int:
        """The size of the changed objects as JSON, although other queues may share these bytes."""
        return sum(change.entry.size_bytes for change in self.changes)


class Backlog(Protocol):
    """Batches that wait for a subscriber."""

    def __len__(self) -> int: ...

    def push(self, batch: Batch) -> bool:
        """Adds a batch. Returns False when it does not fit."""

    def pop(self) -> Batch:
        """Takes the next batch. Call it only when there is one."""

    def clear(self) -> None: ...


class Queue:
    """Every batch, in order. At most `limit` changes and MAX_BYTES."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: deque[Batch] = deque()
        self._changes = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._batches)

    def push(self, batch: Batch) -> bool:
        self._changes += len(batch.changes)
        self._bytes += batch.size_bytes
        self._batches.append(batch)
        return self._changes <= self._limit and self._bytes <= MAX_BYTES

    def pop(self) -> Batch:
        batch = self._batches.popleft()
        self._changes -= len(batch.changes)
        self._bytes -= batch.size_bytes
        return batch

    def clear(self) -> None:
        self._batches.clear()
        self._changes = self._bytes = 0


class Latest:
    """For each object the difference between the state that the subscriber last got and the current one.

    It never overflows: there are at most two changes for each object, its deletion and its later creation. The changes
    are in the order in which their objects changed last. Applying a whole batch gives the state at its revision.
    """

    def __init__(self) -> None:
        self._pending: dict[tuple[Resource[Any], Key], tuple[Change, ...]] = {}
        self._revision = 0

    def __len__(self) -> int:
        return len(self._pending)

    def push(self, batch: Batch) -> bool:
        self._revision = batch.revision
        for change in batch.changes:
            key = (change.kind, change.entry.key)
            merged = _merged(self._pending.pop(key, ()), change)
            if merged:
                self._pending[key] = merged
        return True

    def pop(self) -> Batch:
        pending, self._pending = self._pending, {}
        return Batch(self._revision, tuple(change for changes in pending.values() for change in changes))

    def clear(self) -> None:
        self._pending.clear()


def _merged(pending: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    """The pending changes of one object and the next one, without the states in between."""
    if not pending:
        return (change,)
    *earlier, last = pending
    if last.type == DELETED:
        # The object was created again: its deletion stays visible.
        return (*pending, change)
    before = last.before
    if change.type != DELETED:
        return (*earlier, _change(before, change.entry))
    # An object that the subscriber has not got was created and is gone again.
    return (*earlier, Change(DELETED, change.entry, before)) if before is not None else tuple(earlier)


def _change(before: Entry | None, entry: Entry) -> Change:
    return Change(ADDED if before is None else MODIFIED, entry, before)
