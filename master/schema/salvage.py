"""Reads a stored object whose types differ from those of its schema, because the schema became stricter later.

Keeps every value that has the right type, so that writing the object back loses nothing else. Leaves out the others.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from master.objects.meta import with_raw_fields
from master.schema.models import struct_of
from master.schema.tree import Anything, Flag, Items, Map, Node, Number, NumberOrText, Struct, Text

_MISFIT: Final = object()
S = TypeVar("S", bound=msgspec.Struct)


def salvage(model: type[S], raw: bytes) -> S:
    """The object of a typed model, as far as it can be read. Raises ValueError if it is not a JSON object."""
    value = fitting(msgspec.json.decode(raw), struct_of(model))
    return msgspec.convert(with_raw_fields(value) if isinstance(value, dict) else value, model)


def fitting(value: Any, node: Node) -> Any:
    """The value without the parts that have a wrong type. None if the whole value has one."""
    result = _fit(value, node)
    return None if result is _MISFIT else result


def _fit(value: Any, node: Node) -> Any:
    if isinstance(node, Struct):
        return _fit_fields(value, node) if isinstance(value, dict) else _MISFIT
    if isinstance(node, Items):
        return _fit_items(value, node) if isinstance(value, list) else _MISFIT
    if isinstance(node, Map):
        if not isinstance(value, dict):
            return _MISFIT
        fits = {key: _fit(inner, node.item) for key, inner in value.items()}
        return {key: inner for key, inner in fits.items() if inner is not _MISFIT}
    return value if _has_type(value, node) else _MISFIT


def _fit_fields(value: dict[str, Any], struct: Struct) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, inner in value.items():
        field = struct.fields.get(name)
        fit = inner if field is None else _fit(inner, field.node)
        if fit is not _MISFIT:
            result[name] = fit
    return result


def _fit_items(value: list[Any], items: Items) -> list[Any]:
    fits = [_fit(inner, items.item) for inner in value]
    return [inner for inner in fits if inner is not _MISFIT]


def _has_type(value: Any, node: Text | Number | Flag | NumberOrText | Anything) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match node:
        case Text():
            return isinstance(value, str)
        case Number():
            return number and (node.bits == 0 or isinstance(value, int))
        case Flag():
            return isinstance(value, bool)
        case NumberOrText():
            return isinstance(value, str) or (number and isinstance(value, int))
        case _:
            return True
