"""Lists that are read page by page: each page is as of the revision of the first one.

A snapshot is a list of references to immutable entries. It keeps alive the bytes of objects that have changed since, so
snapshots are limited in age and number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from master.cache.entry import Entry, Key
from master.registry.resource import Resource

# As long as Kubernetes keeps what a `continue` token refers to.
MAX_AGE_S: Final = 300.0
MAX_SNAPSHOTS: Final = 64
# References to entries, of all snapshots together: 8 bytes each.
MAX_REFERENCES: Final = 2_000_000

_key = attrgetter("key")

Subject = tuple[Resource[Any], str, Hashable]
"""What a snapshot lists: kind, namespace ("" for all) and the caller's name for its selection."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `remaining`: the number of objects after this page; 0 on the last page.

    The next page begins after the key of the last entry and has the same `revision`.
    """

    entries: list[Entry]
    revision: int
    remaining: int

    @classmethod
    def of(cls, entries: list[Entry], revision: int, *, limit: int, after: Key | None) -> Page:
        start = 0 if after is None else bisect_right(entries, after, key=_key)
        part = entries[start : start + limit]
        return cls(part, revision, len(entries) - start - len(part))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    entries: list[Entry]
    made_at: float


class Snapshots:
    """The lists whose pages are still being read. Times are monotonic seconds."""

    def __init__(self) -> None:
        # The oldest first.
        self._held: dict[tuple[Subject, int], _Snapshot] = {}

    def __len__(self) -> int:
        return len(self._held)

    def at(self, subject: Subject, revision: int) -> list[Entry] | None:
        """The list as of this revision, if it is held."""
        held = self._held.get((subject, revision))
        return None if held is None else held.entries

    def since(self, subject: Subject, revision: int) -> list[Entry] | None:
        """A list as of this revision or a later one, if one is held."""
        return next((held.entries for (of, at), held in self._held.items() if of == subject and at >= revision), None)

    def hold(self, subject: Subject, revision: int, entries: list[Entry], now: float) -> None:
        """Keeps a list. Drops the oldest ones when there are too many."""
        self._held.pop((subject, revision), None)
        self._held[subject, revision] = _Snapshot(entries, now)
        while len(self._held) > 1 and (len(self._held) > MAX_SNAPSHOTS or self._references() > MAX_REFERENCES):
            del self._held[next(iter(self._held))]

    def expire(self, now: float) -> None:
        """Drops the lists that are too old."""
        while self._held:
            oldest = next(iter(self._held))
            if now - self._held[oldest].made_at < MAX_AGE_S:
                return
            del self._held[oldest]

    def drop(self, kind: Resource[Any]) -> None:
        """Drops the lists of a kind that is gone."""
        self._held = {key: held for key, held in self._held.items() if key[0][0] is not kind}

    def _references(self) -> int:
        lists = {id(held.entries): held.entries for held in self._held.values()}
        return sum(map(len, lists.values()))
