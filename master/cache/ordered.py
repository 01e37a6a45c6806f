"""A list in the order of its keys that stays cheap to change when it is long.

Python's list moves all later items at each insertion: 1 MB for 150,000 objects. So the items are in parts of at most
`_MOST`, and a change moves the items of one part only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from master.cache.entry import Key

_MOST: Final = 1024

Item = TypeVar("Item")


class Ordered(Generic[Item]):
    """Items with distinct keys. `key` reads the key of an item; without it the items are keys themselves."""

    __slots__ = ("_key", "_lasts", "_parts")

    def __init__(self, key: Callable[[Item], Key] | None = None) -> None:
        self._key: Any = key
        # No part is empty. The last key of each part finds the part.
        self._parts: list[list[Item]] = []
        self._lasts: list[Key] = []

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def insert(self, key: Key, item: Item) -> None:
        """Adds an item whose key is not in the list."""
        lasts = self._lasts
        if not lasts:
            self._parts.append([item])
            lasts.append(key)
            return
        if key > lasts[-1]:
            # As while the list is loaded.
            number = len(lasts) - 1
            part = self._parts[number]
            part.append(item)
            lasts[number] = key
        else:
            number = bisect_left(lasts, key)
            part = self._parts[number]
            part.insert(bisect_left(part, key, key=self._key), item)
        if len(part) > _MOST:
            self._split(number)

    def _split(self, number: int) -> None:
        part = self._parts[number]
        # A list that grows at its end, as while it is loaded, keeps its parts nearly full.
        at = len(part) * 7 // 8 if number == len(self._parts) - 1 else len(part) // 2
        self._parts[number : number + 1] = [part[:at], part[at:]]
        self._lasts.insert(number, self._key_of(part[at - 1]))

    def replace(self, key: Key, item: Item) -> None:
        """Replaces the item with this key, which is in the list."""
        part = self._parts[bisect_left(self._lasts, key)]
        part[bisect_left(part, key, key=self._key)] = item

    def remove(self, key: Key) -> None:
        """Removes the item with this key, which is in the list."""
        number = bisect_left(self._lasts, key)
        part = self._parts[number]
        del part[bisect_left(part, key, key=self._key)]
        if not part:
            del self._parts[number], self._lasts[number]
        elif key == self._lasts[number]:
            self._lasts[number] = self._key_of(part[-1])

    def items(self) -> list[Item]:
        """All items."""
        items: list[Item] = []
        for part in self._parts:
            items += part
        return items

    def between(self, low: Key, high: Key) -> list[Item]:
        """The items from the key `low` to before the key `high`."""
        (first, start), (last, end) = self._place(low), self._place(high)
        if first == last:
            return self._parts[first][start:end] if first < len(self._parts) else []
        items = self._parts[first][start:]
        for part in self._parts[first + 1 : last]:
            items += part
        if last < len(self._parts):
            items += self._parts[last][:end]
        return items

    def count_between(self, low: Key, high: Key) -> int:
        """The number of items that `between` returns."""
        (first, start), (last, end) = self._place(low), self._place(high)
        return sum(len(part) for part in self._parts[first:last]) - start + end

    def _place(self, key: Key) -> tuple[int, int]:
        """The part and the position in it of the first item that is not before this key."""
        number = bisect_left(self._lasts, key)
        if number == len(self._parts):
            return number, 0
        return number, bisect_left(self._parts[number], key, key=self._key)

    def _key_of(self, item: Item) -> Key:
        return cast(Key, item if self._key is None else self._key(item))
