"""The recent changes of all kinds, so that a watch can start at an older revision. Limited in bytes for all together.

When the limit is reached, the kind whose changes take most bytes loses its oldest ones. A flood of events does not push
out the changes of pods.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from master.cache.entry import DELETED, Change
from master.registry.resource import Resource

# A busy minute: 1,000 changes a second, each of which replaces an object of 2 KB.
MAX_BYTES: Final = 144 << 20
# What a change takes beside the objects' JSON: the change, the entries, their place in the queue.
OVERHEAD_BYTES: Final = 256
# This part of the limit is freed at a time: then the largest kind need not be found for each change.
_FREED_PART: Final = 64


class HistoryGone(Exception):
    """The requested revision is older than the history. `oldest` is the oldest revision at which a watch may start."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history begins at revision {oldest}")
        self.oldest = oldest


def cost(change: Change) -> int:
    """The bytes that only the history keeps in memory.

    The cache itself holds the current state of each object. An earlier state is the `before` of exactly one change, and
    a deletion has a last state of its own.
    """
    before = change.before.size_bytes if change.before is not None else 0
    return OVERHEAD_BYTES + before + (change.entry.size_bytes if change.type == DELETED else 0)


class _KindHistory:
    __slots__ = ("bytes", "changes", "floor")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.changes: deque[Change] = deque()
        self.bytes = 0

    def append(self, change: Change) -> int:
        self.changes.append(change)
        added = cost(change)
        self.bytes += added
        return added

    def forget_oldest(self) -> int:
        """Removes the changes of the oldest commit together. Returns the bytes that they took."""
        before, self.floor = self.bytes, self.changes[0].revision
        while self.changes and self.changes[0].revision <= self.floor:
            self.bytes -= cost(self.changes.popleft())
        return before - self.bytes

    def after(self, revision: int) -> list[Change]:
        if revision < self.floor:
            raise HistoryGone(self.floor)
        changes: list[Change] = []
        for change in reversed(self.changes):
            if change.revision <= revision:
                break
            changes.append(change)
        changes.reverse()
        return changes


class History:
    """The last changes of each kind.

    `max_bytes` is for all kinds together, `max_changes` for one kind (None: without a limit in number).
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_changes: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._max_changes = max_changes
        self._kinds: dict[Resource[Any], _KindHistory] = {}
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """The memory that the changes of all kinds take."""
        return self._bytes

    def begin(self, kind: Resource[Any], floor: int) -> None:
        """Starts the history of a kind: a watch may start at `floor` or later."""
        self._kinds[kind] = _KindHistory(floor)

    def end(self, kind: Resource[Any]) -> None:
        """Drops the history of a kind."""
        self._bytes -= self._kinds.pop(kind).bytes

    def append(self, changes: Iterable[Change]) -> None:
        """Adds the changes of one commit."""
        for change in changes:
            of_kind = self._kinds[change.kind]
            self._bytes += of_kind.append(change)
            if self._max_changes is not None:
                while len(of_kind.changes) > self._max_changes:
                    self._bytes -= of_kind.forget_oldest()
        if self._bytes > self._max_bytes:
            self._shrink(self._max_bytes - self._max_bytes // _FREED_PART)

    def _shrink(self, size: int) -> None:
        while self._bytes > size:
            self._bytes -= max(self._kinds.values(), key=lambda of_kind: of_kind.bytes).forget_oldest()

    def after(self, kind: Resource[Any], revision: int) -> list[Change]:
        """The changes of the kind after a revision, oldest first. Raises HistoryGone."""
        return self._kinds[kind].after(revision)
