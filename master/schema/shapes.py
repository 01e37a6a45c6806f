"""The structure of a model as JSON, to tidy a body before it is converted to the model.

Finds unknown fields with their paths and suggests the nearest known one. Drops nulls, which clients send for "not set".
Turns quantities that are numbers into text. Finds the path of a value with a wrong type.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from master.objects.meta import is_time

# Limits for suggestions, which take time: their number, and the characters of the path.
_MAX_SUGGESTIONS = 20
_MAX_PATH_LENGTH = 256
# Longest list. Real objects have shorter ones, and converting longer ones would make all other clients wait.
MAX_ITEMS = 10_000


class WrongType(Exception):
    """A value has a wrong type. `path` is its field, empty for the object itself; `what` is the message."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the model does not have, and the field that the author may have meant."""

    path: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f', did you mean "{self.suggestion}"?' if self.suggestion else ""
        return f'unknown field "{self.path}"{hint}'


@dataclass(frozen=True, slots=True)
class _Shape:
    """The structure of a value. `kind`: struct (of `model`), list or map (of `item`), quantity, time, text or leaf."""

    kind: str
    model: Any = None
    item: Any = None


@cache
def _shape(annotation: Any) -> _Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        extras = [meta.extra for meta in annotation.__metadata__ if isinstance(meta, msgspec.Meta)]
        special = [kind for kind in ("quantity", "time") if any(extra and kind in extra for extra in extras)]
        return _Shape(special[0] if special else "leaf")
    if origin in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _shape(inner[0]) if len(inner) == 1 else _Shape("leaf")
    if origin is tuple:
        return _Shape("list", item=get_args(annotation)[0])
    if origin is dict:
        return _Shape("map", item=get_args(annotation)[1])
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _Shape("struct", model=annotation)
    return _Shape("text") if annotation is str else _Shape("leaf")


@cache
def _fields(model: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(model)}


def tidy(value: Any, model: Any, unknown: list[UnknownField], path: str = "") -> Any:
    """The value without nulls and unknown fields, which are added to `unknown`.

    Raises WrongType for malformed times and for lists that are too long.
    """
    shape = _shape(model)
    if shape.kind == "struct" and isinstance(value, dict):
        return _tidy_struct(value, shape.model, unknown, path)
    if shape.kind == "list" and isinstance(value, list):
        if len(value) > MAX_ITEMS:
            raise WrongType(path, f"Too many: {len(value)}: must have at most {MAX_ITEMS} items")
        return [tidy(item, shape.item, unknown, f"{path}[{index}]") for index, item in enumerate(value)]
    if shape.kind == "map" and isinstance(value, dict):
        return _tidy_map(value, shape.item, unknown, path)
    if shape.kind == "quantity" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{Decimal(repr(value)):f}"
    if shape.kind == "time" and isinstance(value, str) and value and not is_time(value):
        raise WrongType(path, "Expected a time such as 2006-01-02T15:04:05Z (RFC 3339)")
    return value


def _tidy_map(value: dict[Any, Any], item: Any, unknown: list[UnknownField], path: str) -> dict[Any, Any]:
    if item is Any:
        return value
    text = _shape(item).kind == "text"
    return {
        key: tidy("" if text and inner is None else inner, item, unknown, f"{path}[{key}]")
        for key, inner in value.items()
    }


def _tidy_struct(
    value: dict[Any, Any], model: type[msgspec.Struct], unknown: list[UnknownField], path: str
) -> dict[Any, Any]:
    fields = _fields(model)
    result: dict[Any, Any] = {}
    for name, inner in value.items():
        field_path = f"{path}.{name}" if path else str(name)
        if name not in fields:
            # Finding the nearest name takes time, so a body with many unknown fields gets only some suggestions.
            suggest = len(unknown) < _MAX_SUGGESTIONS and len(field_path) < _MAX_PATH_LENGTH
            unknown.append(UnknownField(field_path, _suggestion(str(name), fields) if suggest else ""))
        elif inner is not None:
            result[name] = tidy(inner, fields[name], unknown, field_path)
    return result


def wrong_type(value: Any, annotation: Any, path: str = "") -> WrongType | None:
    """The first value that msgspec cannot convert, with its path; None if it can convert all."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        for part_path, part, part_type in _parts(value, _shape(annotation), path):
            if wrong := wrong_type(part, part_type, part_path):
                return wrong
        return WrongType(path, str(error).partition(" - at `")[0])
    return None


def _parts(value: Any, shape: _Shape, path: str) -> Iterator[tuple[str, Any, Any]]:
    if shape.kind == "struct" and isinstance(value, dict):
        fields = _fields(shape.model)
        for name, inner in value.items():
            if name in fields:
                yield f"{path}.{name}" if path else name, inner, fields[name]
    elif shape.kind == "list" and isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]", inner, shape.item
    elif shape.kind == "map" and isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}[{key}]", inner, shape.item


def _suggestion(name: str, fields: dict[str, Any]) -> str:
    """The field that the author may have meant: the same one a level deeper (wrong indentation), or a similar name."""
    for outer, annotation in fields.items():
        shape = _shape(annotation)
        if outer in ("spec", "metadata") and shape.kind == "struct" and name in _fields(shape.model):
            return f"{outer}.{name}"
    lowered = {field.lower(): field for field in fields}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""
