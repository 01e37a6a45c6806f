"""The order of a merged list: first that of the patch, then that of the list before.

Items that the patch does not name keep their places relative to the others as far as possible.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from master.schema.strategicmerge.errors import MalformedPatch, UnsupportedPatch, shown

Key = tuple[type, Hashable]
"""What identifies an item. Its type is a part of it, because 1 is not true."""


def key_of(item: Any, merge_key: str) -> Key:
    """The key of an item: the value of its merge key, or of a scalar the scalar itself. Raises MalformedPatch."""
    value = item
    if isinstance(item, dict):
        if not merge_key:
            raise MalformedPatch(f"lists of objects cannot be merged without a merge key: {shown(item)}")
        if merge_key not in item:
            raise MalformedPatch(f"map: {shown(item)} does not contain declared merge key: {merge_key}")
        value = item[merge_key]
    elif merge_key:
        raise MalformedPatch(f"expected an object with {merge_key}, but received {shown(item)}")
    if isinstance(value, dict | list):
        raise MalformedPatch(f"an item cannot be identified by {shown(value)}")
    return type(value), value


def check_items(*lists: Sequence[Any]) -> None:
    """Raises MalformedPatch if the items have different types, UnsupportedPatch if they are lists."""
    types = {type(item) for items in lists for item in items}
    if list in types:
        raise UnsupportedPatch("lists of lists are not supported")
    if len(types) > 1:
        raise MalformedPatch(f"list element types are not identical: {shown(lists)}")


def check_order(patch: Sequence[Any], order: Sequence[Any], merge_key: str) -> None:
    """Raises MalformedPatch unless the items of the patch are in `order`, and in this order. Deletions do not count.

    As in Kubernetes, other directives count only behind the last item of `order`.
    """
    if not patch or not order:
        return
    items = iter(item for item in patch if not (isinstance(item, dict) and item.get("$patch") == "delete"))
    item = next(items, None)
    for key in [key_of(item, merge_key) for item in order]:
        while isinstance(item, dict) and "$patch" in item:
            item = next(items, None)
        if item is not None and key_of(item, merge_key) == key:
            item = next(items, None)
    if item is not None:
        raise MalformedPatch(
            f"the order in patch list: {shown(patch)} doesn't match $setElementOrder list: {shown(order)}"
        )


def _places(items: Sequence[Any], merge_key: str) -> dict[Key, int]:
    """The index of each item. Of items with the same key, that of the first."""
    places: dict[Key, int] = {}
    for index, item in enumerate(items):
        places.setdefault(key_of(item, merge_key), index)
    return places


def refilled(before: Sequence[Any], merged: Sequence[Any], added: Sequence[Any], merge_key: str) -> list[Any]:
    """The list before, as the order of a merged list follows it in Kubernetes.

    The items that are left come first. Those that the patch adds take as many places as others were deleted.
    """
    present, lived = _places(merged, merge_key), _places(before, merge_key)
    left = [item for item in before if key_of(item, merge_key) in present]
    new = [item for item in added if "$patch" not in item and key_of(item, merge_key) not in lived]
    return [*left, *new][: len(before)]


def ordered(merged: Sequence[Any], order: Sequence[Any], before: Sequence[Any], merge_key: str) -> list[Any]:
    """The merged items in the order of the patch (`order`) and of the list before it was patched.

    Each item that only `before` knows comes before the first item of the patch that followed it there. Raises
    MalformedPatch.
    """
    named, lived = _places(order, merge_key), _places(before, merge_key)
    keyed = [(key_of(item, merge_key), item) for item in merged]
    patched = sorted((pair for pair in keyed if pair[0] in named), key=lambda pair: named[pair[0]])
    others = sorted((pair for pair in keyed if pair[0] not in named), key=lambda pair: lived.get(pair[0], len(lived)))
    result: list[Any] = []
    left = iter([*others, None])
    other = next(left)
    for key, item in patched:
        place = lived.get(key, -1)
        while other is not None and lived.get(other[0], place) < place:
            result.append(other[1])
            other = next(left)
        result.append(item)
    if other is not None:
        result += [other[1], *(pair[1] for pair in left if pair is not None)]
    return result
