"""Reads a JSON value by its tree of types: finds wrong types, unknown and duplicate fields, and drops nulls.

Clients send null for "not set", and quantities as numbers. Bodies without anything of this kind are by far the most
common, so `check_clean` looks first, without making paths or copies.
"""

from __future__ import annotations

import base64
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from master.objects.meta import is_time
from master.schema.tree import Anything, Field, Flag, Items, Map, Node, Number, NumberOrText, Struct, Text

# Limits for suggestions, which take time: their number, and the characters of the path.
_MAX_SUGGESTIONS: Final = 20
_MAX_PATH_LENGTH: Final = 256
# Longest list. Real objects have shorter ones, and longer ones would make all other clients wait.
MAX_ITEMS: Final = 10_000
INTEGER_LIMITS: Final = {32: 1 << 31, 64: 1 << 63}
"""The first integer that does not fit, by bits with sign."""


class WrongType(Exception):
    """A value has a wrong type. `path` is its field, empty for the object itself; `what` is the message."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the type does not have, and the field that the author may have meant."""

    path: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f', did you mean "{self.suggestion}"?' if self.suggestion else ""
        return f'unknown field "{self.path}"{hint}'


class Unclean(Exception):
    """The value needs a closer look by `prune`."""


def check_clean(value: Any, node: Node) -> None:
    """Raises Unclean if `prune` would not return the same value without any problem."""
    _CLEAN[type(node)](value, node)


def _clean_struct(value: Any, struct: Any) -> None:
    if value.__class__ is not dict:
        raise Unclean
    fields = struct.fields
    for name, inner in value.items():
        field = fields.get(name)
        if field is None:
            if struct.open and inner is not None:
                continue
            raise Unclean
        node = field.node
        if inner.__class__ is str and node.__class__ is Text and not node.format:
            continue
        _CLEAN[node.__class__](inner, node)


def _clean_items(value: Any, items: Any) -> None:
    if value.__class__ is not list or len(value) > MAX_ITEMS:
        raise Unclean
    node = items.item
    clean = _CLEAN[node.__class__]
    for inner in value:
        clean(inner, node)


def _clean_map(value: Any, mapping: Any) -> None:
    if value.__class__ is not dict:
        raise Unclean
    node = mapping.item
    clean = _CLEAN[node.__class__]
    for inner in value.values():
        clean(inner, node)


def _clean_text(value: Any, text: Any) -> None:
    if value.__class__ is not str or (text.format and value and _malformed(value, text.format)):
        raise Unclean


def _malformed(value: str, format: str) -> str:
    """Why a text does not have the form of its type; empty if it does."""
    if format in ("time", "microtime"):
        return "" if is_time(value) else "Expected a time such as 2006-01-02T15:04:05Z (RFC 3339)"
    if format == "bytes":
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            return "Expected base64"
    return ""


def _clean_number(value: Any, number: Any) -> None:
    if number.bits:
        limit = INTEGER_LIMITS[number.bits]
        if value.__class__ is not int or not -limit <= value < limit:
            raise Unclean
    elif value.__class__ is not int and value.__class__ is not float:
        raise Unclean


def _clean_flag(value: Any, flag: Any) -> None:
    if value.__class__ is not bool:
        raise Unclean


def _clean_either(value: Any, node: Any) -> None:
    if value.__class__ is not str:
        _clean_number(value, node.number)


def _clean_anything(value: Any, node: Any) -> None:
    if value is None:
        raise Unclean


_CLEAN: Final[dict[type, Callable[[Any, Any], None]]] = {
    Text: _clean_text,
    Number: _clean_number,
    Flag: _clean_flag,
    NumberOrText: _clean_either,
    Anything: _clean_anything,
    Items: _clean_items,
    Map: _clean_map,
    Struct: _clean_struct,
}


def prune(value: Any, node: Node, unknown: list[UnknownField], path: str = "") -> Any:
    """The value without nulls and unknown fields, which are added to `unknown`. Numbers become text in quantities.

    Keeps null where the type has it as a value. Raises WrongType for the first value of a wrong type, for malformed
    times and bytes, and for lists that are too long.
    """
    if value is None and node.rules.nullable:
        return None
    return _PRUNE[type(node)](value, node, unknown, path)


def _prune_struct(value: Any, struct: Struct, unknown: list[UnknownField], path: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong("object", value, path)
    result: dict[str, Any] = {}
    for name, inner in value.items():
        field_path = f"{path}.{name}" if path else str(name)
        field = struct.fields.get(name)
        if field is None:
            if struct.open:
                result[name] = inner
                continue
            # Finding the nearest name takes time, so a body with many unknown fields gets only some suggestions.
            suggest = len(unknown) < _MAX_SUGGESTIONS and len(field_path) < _MAX_PATH_LENGTH
            unknown.append(UnknownField(field_path, _suggestion(str(name), struct.fields) if suggest else ""))
        elif inner is not None or field.node.rules.nullable:
            result[name] = prune(inner, field.node, unknown, field_path)
    return result


def _prune_items(value: Any, items: Items, unknown: list[UnknownField], path: str) -> Any:
    if not isinstance(value, list):
        raise _wrong("array", value, path)
    if len(value) > MAX_ITEMS:
        raise WrongType(path, f"Too many: {len(value)}: must have at most {MAX_ITEMS} items")
    return [prune(inner, items.item, unknown, f"{path}[{index}]") for index, inner in enumerate(value)]


def _prune_map(value: Any, mapping: Map, unknown: list[UnknownField], path: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong("object", value, path)
    item = mapping.item
    if isinstance(item, Anything):
        return value
    text = isinstance(item, Text) and not item.format
    return {
        key: prune("" if text and inner is None else inner, item, unknown, f"{path}[{key}]")
        for key, inner in value.items()
    }


def _prune_text(value: Any, text: Text, unknown: list[UnknownField], path: str) -> Any:
    if text.format == "quantity" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{Decimal(repr(value)):f}"
    if not isinstance(value, str):
        raise _wrong("str", value, path)
    if text.format and value and (malformed := _malformed(value, text.format)):
        raise WrongType(path, malformed)
    return value


def _prune_number(value: Any, number: Number, unknown: list[UnknownField], path: str) -> Any:
    integer = bool(number.bits)
    if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
        raise _wrong("int" if integer else "float", value, path)
    limit = INTEGER_LIMITS.get(number.bits)
    if limit is not None and not -limit <= value < limit:
        raise WrongType(path, f"Expected `int` {'<=' if value > 0 else '>='} {limit - 1 if value > 0 else -limit}")
    return value


def _prune_flag(value: Any, flag: Flag, unknown: list[UnknownField], path: str) -> Any:
    if not isinstance(value, bool):
        raise _wrong("bool", value, path)
    return value


def _prune_either(value: Any, node: NumberOrText, unknown: list[UnknownField], path: str) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("int | str", value, path)
    return _prune_number(value, node.number, unknown, path)


def _prune_anything(value: Any, node: Anything, unknown: list[UnknownField], path: str) -> Any:
    return value


_PRUNE: Final[dict[type, Callable[[Any, Any, list[UnknownField], str], Any]]] = {
    Text: _prune_text,
    Number: _prune_number,
    Flag: _prune_flag,
    NumberOrText: _prune_either,
    Anything: _prune_anything,
    Items: _prune_items,
    Map: _prune_map,
    Struct: _prune_struct,
}
_NAMES: Final = {
    dict: "object",
    list: "array",
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    type(None): "null",
}


def _wrong(expected: str, value: Any, path: str) -> WrongType:
    return WrongType(path, f"Expected `{expected}`, got `{_NAMES.get(type(value), type(value).__name__)}`")


def _suggestion(name: str, fields: Any) -> str:
    """The field that the author may have meant: the same one a level deeper (wrong indentation), or a similar name."""
    known: dict[str, Field] = fields
    for outer, field in known.items():
        if outer in ("spec", "metadata") and isinstance(field.node, Struct) and name in field.node.fields:
            return f"{outer}.{name}"
    lowered = {field.lower(): field for field in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""
