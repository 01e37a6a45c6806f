"""The shapes of lists whose items have owners of their own: maps, whose items have keys, and sets."""

from __future__ import annotations

import operator
from collections import deque
from typing import Any

from master.fieldmanager import elements
from master.fieldmanager.comparison import Differences
from master.fieldmanager.fieldset import OWNED, Node, is_member, with_member
from master.fieldmanager.shapes import BadItem, Shape


class Listing:
    """A list of items. `keys`: the fields that identify an item, with their defaults; none if the items are a set."""

    __slots__ = ("_key", "item", "keys")

    def __init__(self, item: Shape, keys: dict[str, Any] | None) -> None:
        self.item = item
        self.keys = keys
        self._key = next(iter(keys)) if keys is not None and len(keys) == 1 else None

    def element(self, item: Any) -> str:
        """The element of an item. Raises BadItem if the item has none of its keys."""
        if self.keys is None:
            return elements.of_value(item)
        if not isinstance(item, dict):
            raise BadItem("an item of the list is not an object")
        if self._key is not None:
            value = item.get(self._key)
            if value.__class__ is str:
                return elements.of_text_key(self._key, value)
        found = tuple(
            (name, value) for name, default in self.keys.items() if (value := item.get(name, default)) is not None
        )
        if not found:
            raise BadItem(f"an item of the list has none of its keys: {', '.join(self.keys)}")
        return elements.of_keys(found)

    def _items(self, values: Any) -> dict[str, Any]:
        """The items by element; the value of an element that comes twice is a `_Twice`."""
        items: dict[str, Any] = {}
        for value in values or ():
            element = self.element(value)
            if element in items:
                earlier = items[element]
                twice = earlier if isinstance(earlier, _Twice) else _Twice([earlier])
                twice.values.append(value)
                value = twice
            items[element] = value
        return items

    def named(self, value: Any, *, unique: bool = False) -> Node | None:
        if value is None:
            return OWNED
        result: Node = {}
        for element, item in self._items(value).items():
            if isinstance(item, _Twice):
                if unique:
                    raise BadItem(f"duplicate entries for key {elements.shown(element)}")
                result[element] = OWNED
                continue
            try:
                result[element] = with_member(self.item.named(item, unique=unique) or OWNED)
            except BadItem as bad:
                raise bad.below(element) from None
        return result or None

    def all(self, value: Any) -> Node:
        if not value:
            return OWNED
        result: Node = {".": OWNED}
        for element, item in self._items(value).items():
            result[element] = OWNED if isinstance(item, _Twice) else self.item.all(item)
        return result

    def compare(self, old: Any, new: Any, element: str, differences: Differences) -> None:
        if not old and not new:
            differences.modify(element)
            return
        below = Differences()
        before, after = self._items(old), self._items(new)
        for key in {**before, **after}:
            self._compare_item(key, before.get(key), after.get(key), below)
        differences.enter(element, below)

    def _compare_item(self, key: str, old: Any, new: Any, differences: Differences) -> None:
        # Items that come twice cannot be told apart, so the element stands for all of them.
        if isinstance(old, _Twice) and isinstance(new, _Twice):
            if old.values != new.values:
                differences.modify(key)
        elif isinstance(old, _Twice) or isinstance(new, _Twice):
            if new is not None:
                differences.added[key] = OWNED if isinstance(new, _Twice) else self.item.all(new)
            if old is not None:
                differences.removed[key] = OWNED if isinstance(old, _Twice) else self.item.all(old)
        elif old is None:
            differences.added[key] = self.item.all(new)
        elif new is None:
            differences.removed[key] = self.item.all(old)
        elif old is not new and old != new:
            self.item.compare(old, new, key, differences)

    def merge(self, live: Any, applied: Any) -> Any:
        if not live or not applied:
            return live or applied
        theirs = self._items(applied)
        elements_of_live = [self.element(item) for item in live]
        if [element for element in elements_of_live if element in theirs] == list(theirs):
            # Nothing is added or moved, and nothing that the configuration names comes twice.
            merged = [
                self._merged_item(item, theirs[element]) if element in theirs else item
                for element, item in zip(elements_of_live, live, strict=True)
            ]
            return merged if any(map(operator.is_not, merged, live)) else live
        return _ordered(self._merged(live, theirs), elements_of_live, list(theirs))

    def _merged_item(self, live: Any, applied: Any) -> Any:
        return live if live == applied else self.item.merge(live, applied)

    def _merged(self, live: Any, applied: dict[str, Any]) -> dict[str, list[Any]]:
        """All items by element: those of the configuration merged, the others as they are."""
        merged: dict[str, list[Any]] = {}
        for element, item in self._items(live).items():
            if element not in applied:
                merged[element] = list(item.values) if isinstance(item, _Twice) else [item]
            elif isinstance(item, _Twice):
                merged[element] = [applied[element]]
            else:
                merged[element] = [self._merged_item(item, applied[element])]
        return {element: merged.get(element) or [item] for element, item in {**merged, **applied}.items()}

    def remove(self, value: Any, fields: Node) -> Any:
        result: list[Any] = []
        for item in value or ():
            node = fields.get(self.element(item))
            if node is None:
                result.append(item)
            elif not is_member(node):
                result.append(self.item.remove(item, node))
        return result or None

    def spelled(self, fields: Node) -> Node:
        return {
            element: self.item.spelled(node) if node and element.startswith("k:") else node
            for element, node in fields.items()
        }


class _Twice:
    """Several items of a list with the same element."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values


def _ordered(items: dict[str, list[Any]], live: list[str], applied: list[str]) -> list[Any]:
    """The items in order: that of the configuration; items that it does not name stay after those before them."""
    named, known = set(applied), set(live)
    shared = deque(element for element in applied if element in known)
    done: set[str] = set()
    result: list[Any] = []
    position = dict.fromkeys(items, 0)

    def take(element: str) -> None:
        values = items[element]
        result.append(values[min(position[element], len(values) - 1)])
        position[element] += 1

    left = right = 0
    while left < len(live) or right < len(applied):
        if left < len(live) and right < len(applied):
            element = live[left]
            if element == applied[right]:
                done.add(element)
                take(element)
                left, right = left + 1, right + 1
                shared.popleft()
                continue
            if element in named and shared and shared[0] != element:
                # The configuration has this item at another place.
                left += 1
                continue
        if left < len(live):
            element = live[left]
            if element not in named:
                take(element)
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(applied):
            element = applied[right]
            done.add(element)
            take(element)
            right += 1
            if shared and shared[0] == element:
                shared.popleft()
    return result
