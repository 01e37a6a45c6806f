"""The elements of a path to a field, in the text form of `fieldsV1`.

- `f:<name>`: a field of an object.
- `k:<JSON object>`: the item of a list with these keys.
- `v:<JSON value>`: an item of a list that is a set.
- `i:<number>`: an item by its position.

Elements are texts everywhere, so that they are compared and found quickly. Source: FieldsV1 in the Kubernetes API
reference. The order and the escapes are those that Kubernetes writes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar

import msgspec

MEMBER: Final = "."
"""Not an element: it stands beside the elements below a field, and says that the field itself is owned too."""

# Results that are kept, and the characters of the longest text for which they are: clients choose the texts.
_KEPT: Final = 4096
_LONGEST: Final = 256
_Result = TypeVar("_Result")
_ESCAPES: Final = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\N{LINE SEPARATOR}": "\\u2028",
        "\N{PARAGRAPH SEPARATOR}": "\\u2029",
    }
)


def of_value(value: Any) -> str:
    """The element of a set's item."""
    return f"v:{_json(value)}"


def of_keys(keys: tuple[tuple[str, Any], ...]) -> str:
    """The element of an item with these keys and values, which are sorted by name."""
    for _, value in keys:
        # Objects and lists, which only an unchecked type allows, cannot be looked up.
        if value.__class__ is not int and (value.__class__ is not str or len(value) > _LONGEST):
            return _keys_text(keys)
    return _short_keys_text(keys)


def of_text_key(name: str, value: str) -> str:
    """The element of an item with one key, which is text."""
    return _text_key(name, value) if len(value) <= _LONGEST else _keys_text(((name, value),))


@lru_cache(maxsize=_KEPT)
def _text_key(name: str, value: str) -> str:
    return _keys_text(((name, value),))


def _keys_text(keys: tuple[tuple[str, Any], ...]) -> str:
    return "k:{" + ",".join(f"{_json(name)}:{_json(value)}" for name, value in keys) + "}"


_short_keys_text = lru_cache(maxsize=_KEPT)(_keys_text)


def _json(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return escaped(msgspec.json.encode(value).decode())


def escaped(json: str) -> str:
    """JSON with the characters escaped that Go escapes in JSON."""
    return json.translate(_ESCAPES)


def _remembered(function: Callable[[str], _Result]) -> Callable[[str], _Result]:
    """The function, with its last results for short texts kept."""
    kept = lru_cache(maxsize=_KEPT)(function)
    return wraps(function)(lambda element: kept(element) if len(element) <= _LONGEST else function(element))


@_remembered
def canonical(element: str) -> str:
    """The element as it is written here. Empty for a form of a later version. Raises ValueError for other texts."""
    kind, content = element[:2], element[2:]
    if kind == "f:":
        return element
    if kind == "v:":
        return of_value(msgspec.json.decode(content))
    if kind == "k:":
        keys = msgspec.json.decode(content, type=dict[str, Any])
        return _keys_text(tuple(sorted(keys.items())))
    if kind == "i:":
        return f"i:{int(content)}"
    if len(element) < 2 or element[1] != ":":
        raise ValueError(f"not a path element: {element!r}")
    return ""


@_remembered
def rank(element: str) -> tuple[Any, ...]:
    """The place of an element among its neighbours: fields, then items by keys, by value, by position."""
    kind, content = element[:2], element[2:]
    if element == MEMBER:
        return (0,)
    if kind == "f:":
        return (1, content)
    if kind == "k:":
        keys = msgspec.json.decode(content, type=dict[str, Any])
        return (2, tuple((name, _value_rank(value)) for name, value in sorted(keys.items())))
    if kind == "v:":
        return (3, _value_rank(msgspec.json.decode(content)))
    return (4, int(content))


def _value_rank(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    return (3, _json(value))


def shown(element: str) -> str:
    """The element as messages show it: `.name`, `[name="web"]`, `[="x"]`, `[3]`."""
    kind, content = element[:2], element[2:]
    if kind == "f:":
        return f".{content}"
    if kind == "k:":
        keys = msgspec.json.decode(content, type=dict[str, Any])
        return "[" + ",".join(f"{name}={_json(value)}" for name, value in keys.items()) + "]"
    if kind == "v:":
        return f"[={content}]"
    return f"[{content}]"
