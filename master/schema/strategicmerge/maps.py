"""Objects in a strategic merge patch: their fields are merged one by one, after the directives beside them.

`$patch: replace` and `delete` are about the object that has them, `$retainKeys` names the fields that remain,
`$setElementOrder/LIST` gives the order of a list, and `$deleteFromPrimitiveList/LIST` removes scalars from one.
"""

from __future__ import annotations

from typing import Any, Final

from master.schema.strategicmerge.errors import MalformedPatch, shown
from master.schema.strategicmerge.lists import ListRules, merge_lists, strategy, without
from master.schema.strategicmerge.order import check_items, check_order, ordered, refilled
from master.schema.tree import Anything, Field, Map, Node, Struct

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder"
_DELETE: Final = "$deleteFromPrimitiveList"
_ANYTHING: Final = Anything()


def patch(before: dict[str, Any], change: dict[str, Any], node: Node) -> dict[str, Any]:
    """The patched object. Changes neither of the arguments. `node`: the type, with its facts.

    Raises MalformedPatch, UnsupportedPatch.
    """
    if _PATCH in change:
        return _replaced(change)
    result = dict(before)
    rest = {name: value for name, value in change.items() if name != _RETAIN}
    if _RETAIN in change:
        result = _retained(result, rest, change[_RETAIN])
    for name in [name for name in rest if name.startswith(_ORDER)]:
        _order(result, rest, name, node)
    # Scalars are removed after others were added, as where the order is given.
    for name in sorted(rest, key=lambda name: name.startswith(_DELETE)):
        if name.startswith(_DELETE):
            _delete(result, _list_name(name, _DELETE), rest[name])
        elif rest[name] is None:
            result.pop(name, None)
        else:
            _set(result, name, rest[name], _field(node, name))
    return result


def _replaced(change: dict[str, Any]) -> dict[str, Any]:
    directive = change[_PATCH]
    if directive == "replace":
        return {name: value for name, value in change.items() if name != _PATCH}
    if directive == "delete":
        return {}
    raise MalformedPatch(f"unknown patch type: {shown(directive)} in map: {shown(change)}")


def _retained(before: dict[str, Any], change: dict[str, Any], names: Any) -> dict[str, Any]:
    """The object with only the fields that are named. The patch may not set others."""
    if not isinstance(names, list) or any(isinstance(name, dict | list) for name in names):
        raise MalformedPatch("invalid patch format of retainKeys")
    kept = set(names)
    for name, value in change.items():
        if value is not None and not name.startswith((_DELETE, _ORDER)) and name not in kept:
            raise MalformedPatch("invalid patch format of retainKeys")
    return {name: value for name, value in before.items() if name in kept}


def _order(result: dict[str, Any], rest: dict[str, Any], directive: str, node: Node) -> None:
    """Merges a list and puts it into the order of a directive. Removes both from the rest of the patch."""
    order = rest.pop(directive)
    name = _list_name(directive, _ORDER)
    for value in (order, result.get(name, []), rest.get(name, [])):
        if not isinstance(value, list):
            raise MalformedPatch(f"expected a list for {directive}, but received {shown(value)}")
    before, change = result.get(name, []), rest.get(name, [])
    rules = ListRules.of(_field(node, name))
    check_items(before, change)
    check_order(change, order, rules.merge_key)
    if not before and not change:
        if name in rest:
            raise MalformedPatch(f"{directive}: no elements in any of the given slices")
        return
    if not before:
        merged = _without_directives(change)
    elif name not in rest:
        merged = before
    else:
        merged = merge_lists(before, change, rules, patch)
        if rules.merge_key:
            before = refilled(before, merged, change, rules.merge_key)
    result[name] = ordered(merged, order, before, rules.merge_key)
    rest.pop(name, None)


def _delete(result: dict[str, Any], name: str, scalars: Any) -> None:
    before = result.get(name)
    if scalars is None:
        result.pop(name, None)
    elif not isinstance(scalars, list):
        raise MalformedPatch("invalid patch format of primitive list")
    elif isinstance(before, list):
        result[name] = without(before, scalars)


def _set(result: dict[str, Any], name: str, value: Any, field: Field | None) -> None:
    """Sets a field to its patched value, or removes it if the value is only a directive."""
    before = result.get(name)
    if isinstance(before, dict) and isinstance(value, dict):
        node = field.node if field is not None else _ANYTHING
        result[name] = value if strategy(field) == "replace" else patch(before, value, node)
    elif isinstance(before, list) and isinstance(value, list):
        result[name] = merge_lists(before, value, ListRules.of(field), patch)
    elif isinstance(value, dict) and _PATCH in value:
        result.pop(name, None)
    else:
        result[name] = _without_directives(_without_nulls(value))


def _field(node: Node, name: str) -> Field | None:
    if isinstance(node, Struct):
        return node.fields.get(name)
    return Field(name, node.item) if isinstance(node, Map) else None


def _list_name(directive: str, prefix: str) -> str:
    """The field that a directive is about: `$setElementOrder/containers` is about `containers`."""
    before, _, name = directive.partition("/")
    if before != prefix or not name:
        what = "setElementOrder list" if prefix == _ORDER else "primitive list"
        raise MalformedPatch(f"invalid patch format of {what}")
    return name


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def _without_directives(value: Any) -> Any:
    """A new value without the parts that are only a directive."""
    if isinstance(value, dict):
        return {name: _without_directives(inner) for name, inner in value.items() if not _is_directive(inner)}
    if isinstance(value, list):
        return [_without_directives(inner) for inner in value if not _is_directive(inner)]
    return value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and _PATCH in value
