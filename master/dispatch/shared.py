"""Items that all nodes get, joined for snapshots: the bytes of a snapshot's common part are made once, not per node.

Owns these items by key, with a bound of their size, and pieces of joined items, each made when it is first needed. An
item changes the pieces of its bucket only.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from master.dispatch import cuts
from master.dispatch.items import Key, Section
from proto import contract

BUCKETS: Final = 64
"""For each section. With thousands of items, a change joins a small part of them again."""

MAX_SHARED_BYTES: Final = contract.MAX_STATE_BYTES // 2
"""Largest size of all items: half of a snapshot, the other half is for a node's own items (nodeitems.py)."""

_Bucket = tuple[Section, int]


class Shared:
    """Items by key. A piece is a join of items, small enough for one message of a cut."""

    def __init__(self) -> None:
        self._buckets: dict[_Bucket, dict[Key, bytes]] = {}
        self._pieces: dict[_Bucket, list[bytes]] = {}
        self._used_bytes = 0

    def get(self, key: Key) -> bytes | None:
        """The item; None without one."""
        return self._buckets.get(_bucket(key), {}).get(key)

    def fits(self, key: Key, item: bytes) -> bool:
        """Whether the item may be set: an agent refuses a snapshot that is too large as a whole."""
        more_bytes = len(item) - len(self.get(key) or b"")
        return more_bytes <= 0 or self._used_bytes + more_bytes <= MAX_SHARED_BYTES

    def put(self, key: Key, item: bytes | None) -> bool:
        """Set the item, or remove it (None). Returns whether that changed anything."""
        at = _bucket(key)
        bucket = self._buckets.setdefault(at, {})
        before = bucket.get(key)
        if before == item:
            return False
        self._used_bytes += len(item or b"") - len(before or b"")
        if item is None:
            del bucket[key]
        else:
            bucket[key] = item
        self._pieces.pop(at, None)
        return True

    def pieces(self, section: Section, *, without: Key | None = None) -> Iterator[bytes]:
        """All items of a section but one."""
        for number in range(BUCKETS):
            at = section, number
            bucket = self._buckets.get(at)
            if not bucket:
                continue
            if without is not None and without in bucket:
                yield from _joined([item for key, item in bucket.items() if key != without])
                continue
            if at not in self._pieces:
                self._pieces[at] = _joined(list(bucket.values()))
            yield from self._pieces[at]


def _bucket(key: Key) -> _Bucket:
    return key.section, zlib.crc32(f"{key.namespace}/{key.name}".encode()) % BUCKETS


def _joined(items: list[bytes]) -> list[bytes]:
    return [b"".join(group) for group in cuts.split(items)]
