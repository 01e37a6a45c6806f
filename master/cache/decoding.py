"""Decoding the objects of one kind, and how long the decoded objects are kept.

A kind that is declared hot keeps them as long as the cache has the object. Otherwise a ring keeps those that were
decoded last, so that the followers of one change, and a component that reads the same objects again and again, decode
them once.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Final, Protocol

import msgspec

from master.cache.specs import Specs
from master.cache.text import Text
from master.registry.resource import Resource

log = logging.getLogger(__name__)

# Limits of the ring: objects and bytes of their JSON. Decoded, an object takes three to four times its JSON.
RING_OBJECTS: Final = 2048
RING_BYTES: Final = 4 << 20
# Objects whose trouble was logged and is not logged again, of all kinds.
REMEMBERED_TROUBLES: Final = 1024


class Unreadable(Exception):
    """A stored object that its kind cannot decode. Clients still get its bytes; a component skips it."""


class Decodable(Protocol):
    """What decoding needs of an entry."""

    @property
    def raw(self) -> bytes: ...
    @property
    def text(self) -> Text: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def revision(self) -> int: ...
    @property
    def where(self) -> str: ...


class Decoded(msgspec.Struct, eq=False, gc=False):
    """A decoded object, which the ring takes away again: then `obj` is None. The ring has no entries."""

    obj: Any
    size_bytes: int


class Ring:
    """The objects of all kinds that were decoded last."""

    def __init__(self, *, most: int = RING_OBJECTS, most_bytes: int = RING_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: deque[Decoded] = deque()
        self._bytes = 0
        self._troubles: dict[tuple[str, int], None] = {}

    def add(self, decoded: Decoded) -> None:
        """Keeps a decoded object until newer ones push it out."""
        self._kept.append(decoded)
        self._bytes += decoded.size_bytes
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            oldest = self._kept.popleft()
            self._bytes -= oldest.size_bytes
            oldest.obj = None

    def is_new(self, entry: Decodable) -> bool:
        """Whether trouble with this entry has not been logged yet."""
        key = (entry.where, entry.revision)
        if key in self._troubles:
            return False
        self._troubles[key] = None
        if len(self._troubles) > REMEMBERED_TROUBLES:
            del self._troubles[next(iter(self._troubles))]
        return True


class Decoding:
    """Decodes the entries of one kind. Without a ring the decoded objects stay with their entries."""

    __slots__ = ("_kind", "_ring", "_specs")

    def __init__(self, kind: Resource[Any], ring: Ring | None = None) -> None:
        self._kind = kind
        self._ring = ring
        self._specs = Specs(kind)

    def decode(self, entry: Decodable) -> Decoded:
        """The typed object, which is kept for a while. Raises Unreadable."""
        return self.keep(entry, self.read(entry))

    def keep(self, entry: Decodable, obj: Any) -> Decoded:
        """Keeps the object of an entry for a while."""
        decoded = Decoded(obj, entry.size_bytes)
        if self._ring is not None and not self._kind.hot:
            self._ring.add(decoded)
        return decoded

    def read(self, entry: Decodable) -> Any:
        """The typed object. Raises Unreadable.

        An object that the model refuses is decoded as far as it can be read.
        """
        try:
            obj = self._specs.decode(entry.text)
            if obj is None:
                obj = self._kind.decode(entry.raw)
                self._specs.offer(entry.text, obj)
            return obj
        except ValueError as refused:
            return self._salvage(entry, refused)

    def _salvage(self, entry: Decodable, refused: ValueError) -> Any:
        is_new = self._ring is None or self._ring.is_new(entry)
        try:
            obj = self._kind.salvage(entry.raw)
        except ValueError as error:
            if is_new:
                log.error("%s cannot be read: %s; components skip it", entry.where, error)
            raise Unreadable(f"{entry.where} cannot be read: {error}") from refused
        if is_new:
            log.error("%s in the store is not valid: %s; the rest of the object is used", entry.where, refused)
        return obj
