"""Lists in a strategic merge patch: merged by the merge key of their items, or as sets of scalars, or replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from master.schema.strategicmerge.errors import MalformedPatch, shown
from master.schema.strategicmerge.order import Key, check_items, key_of, ordered
from master.schema.tree import Anything, Field, Items, Node

_UNKNOWN = Field("", Anything())


@dataclass(frozen=True, slots=True)
class ListRules:
    """How a list is patched. `merged`: its items are merged; else a patch replaces the list."""

    item: Node
    merged: bool = False
    merge_key: str = ""

    @classmethod
    def of(cls, field: Field | None) -> ListRules:
        """The rules of a field. A field that is unknown or has any JSON is replaced."""
        field = field or _UNKNOWN
        if not isinstance(field.node, Items):
            return cls(Anything())
        return cls(field.node.item, strategy(field) == "merge", field.node.merge_key)


def strategy(field: Field | None) -> str:
    """The strategy of a field: `merge`, `replace`, or empty."""
    names = field.patch.split(",") if field is not None else []
    return next((name for name in names if name not in ("", "retainKeys")), "")


MergeMaps = Callable[[dict[str, Any], dict[str, Any], Node], dict[str, Any]]


def merge_lists(before: list[Any], patch: list[Any], rules: ListRules, merge_maps: MergeMaps) -> list[Any]:
    """The patched list. `merge_maps` patches an item. Raises MalformedPatch, UnsupportedPatch."""
    if not rules.merged:
        return patch
    check_items(before, patch)
    if not before and not patch:
        return before
    if not isinstance((before or patch)[0], dict):
        merged = list({key_of(item, ""): item for item in [*before, *patch]}.values())
        return ordered(merged, patch, before, "")
    before, patch = _directed(before, patch, rules.merge_key)
    return ordered(_merged(before, patch, rules, merge_maps), patch, before, rules.merge_key)


def without(before: list[Any], deleted: list[Any]) -> list[Any]:
    """A list of scalars without some of them. Raises MalformedPatch, UnsupportedPatch."""
    check_items(before, deleted)
    if deleted and isinstance(deleted[0], dict):
        raise MalformedPatch("invalid patch format of primitive list")
    keys = {key_of(item, "") for item in deleted}
    return [item for item in before if key_of(item, "") not in keys]


def _directed(before: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """The list before without the items that the patch deletes, and the patch without its directives."""
    deleted: set[Key] = set()
    replaced = False
    for item in patch:
        directive = item.get("$patch")
        if directive == "delete":
            deleted.add(key_of(item, merge_key))
        elif directive == "replace":
            replaced = True
        elif directive == "merge":
            raise MalformedPatch("merging lists cannot yet be specified in the patch")
        elif "$patch" in item:
            raise MalformedPatch(f"unknown patch type: {shown(directive)} in map: {shown(item)}")
    plain = [item for item in patch if "$patch" not in item]
    if replaced:
        return plain, []
    if deleted:
        # An item without its key cannot be the one that is meant.
        before = [item for item in before if merge_key not in item or key_of(item, merge_key) not in deleted]
    return before, plain


def _merged(before: Sequence[Any], patch: Sequence[Any], rules: ListRules, merge_maps: MergeMaps) -> list[Any]:
    result = list(before)
    places: dict[Key, int] = {}
    for index, item in enumerate(result):
        places.setdefault(key_of(item, rules.merge_key), index)
    for item in patch:
        key = key_of(item, rules.merge_key)
        if key in places:
            result[places[key]] = merge_maps(result[places[key]], item, rules.item)
        else:
            places[key] = len(result)
            result.append(item)
    return result
