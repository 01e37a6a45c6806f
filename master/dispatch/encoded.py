"""Objects that are encoded when a session first needs them: most config maps are needed by no node.

Owns the objects of one kind and their encoded items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from master.dispatch.items import Key

T = TypeVar("T")


class Encoded(Generic[T]):
    """Objects by key. `encode` makes the item of an object, or returns None if it cannot be sent."""

    def __init__(self, encode: Callable[[T], bytes | None]) -> None:
        self._encode = encode
        self._objects: dict[Key, T] = {}
        self._items: dict[Key, bytes | None] = {}

    def put(self, key: Key, obj: T | None) -> bool:
        """Set the object, or remove it (None). Returns False if that certainly does not change the item."""
        known = key in self._items
        before = self._items.pop(key, None)
        if obj is None:
            return self._objects.pop(key, None) is not None
        self._objects[key] = obj
        return not known or self.item(key) != before

    def get(self, key: Key) -> T | None:
        """The object; None without one."""
        return self._objects.get(key)

    def item(self, key: Key) -> bytes | None:
        """The encoded object; None without one."""
        if key in self._items:
            return self._items[key]
        obj = self._objects.get(key)
        if obj is None:
            return None
        item = self._items[key] = self._encode(obj)
        return item

    def __contains__(self, key: Key) -> bool:
        return key in self._objects

    def __iter__(self) -> Iterator[Key]:
        return iter(self._objects)
