"""The recent changes of one kind, so that a watch can start at an older revision. Limited in number and in bytes."""

from __future__ import annotations

from collections import deque

from master.cache.entry import Change


class HistoryGone(Exception):
    """The requested revision is older than the history. `oldest` is the oldest revision at which a watch may start."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history begins at revision {oldest}")
        self.oldest = oldest


class History:
    """The last changes of a kind. `floor` is the oldest revision at which a watch may start."""

    __slots__ = ("_bytes", "_changes", "_max_bytes", "_max_changes", "floor")

    def __init__(self, floor: int, *, max_changes: int = 1000, max_bytes: int = 8 << 20) -> None:
        self.floor = floor
        self._changes: deque[Change] = deque()
        self._bytes = 0
        self._max_changes = max_changes
        self._max_bytes = max_bytes

    def append(self, change: Change) -> None:
        self._changes.append(change)
        self._bytes += len(change.entry.raw)
        # A commit may change several objects of a kind; all its changes are dropped together.
        while len(self._changes) > self._max_changes or self._bytes > self._max_bytes:
            self._forget(self._changes[0].revision)

    def _forget(self, revision: int) -> None:
        while self._changes and self._changes[0].revision <= revision:
            self._bytes -= len(self._changes.popleft().entry.raw)
        self.floor = revision

    def after(self, revision: int) -> list[Change]:
        """The changes after a revision, oldest first. Raises HistoryGone."""
        if revision < self.floor:
            raise HistoryGone(self.floor)
        changes: list[Change] = []
        for change in reversed(self._changes):
            if change.revision <= revision:
                break
            changes.append(change)
        changes.reverse()
        return changes
