"""What a model looks like as JSON, to tidy a body before it is typed.

Finds fields that the model does not have, by path and with the nearest one that it has; drops nulls, which clients send
for "not set"; makes text of quantities that came as numbers. Corrects nothing silently.
"""

from __future__ import annotations

import difflib
import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

_MOST_GUESSES = 20
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that is not in the model, and the one that was perhaps meant."""

    path: str
    meant: str = ""

    def __str__(self) -> str:
        hint = f', did you mean "{self.meant}"?' if self.meant else ""
        return f'unknown field "{self.path}"{hint}'


@dataclass(frozen=True, slots=True)
class _Shape:
    """One of: a struct, a list of something, a map of something, a quantity, or a leaf."""

    kind: str
    model: Any = None
    item: Any = None


@cache
def _shape(annotation: Any) -> _Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        extras = [meta.extra for meta in annotation.__metadata__ if isinstance(meta, msgspec.Meta)]
        return _Shape("quantity") if any(extra and extra.get("quantity") for extra in extras) else _Shape("leaf")
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
    """The value without nulls and unknown fields; these are added to `unknown`."""
    shape = _shape(model)
    if shape.kind == "struct" and isinstance(value, dict):
        return _tidy_struct(value, shape.model, unknown, path)
    if shape.kind == "list" and isinstance(value, list):
        return [tidy(item, shape.item, unknown, f"{path}[{index}]") for index, item in enumerate(value)]
    if shape.kind == "map" and isinstance(value, dict):
        return _tidy_map(value, shape.item, unknown, path)
    if shape.kind == "quantity" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
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
        here = f"{path}.{name}" if path else str(name)
        if name not in fields:
            # Looking for the nearest name takes a while: a body full of nonsense gets no guesses.
            guess = len(unknown) < _MOST_GUESSES and len(here) < _LONGEST_NAME
            unknown.append(UnknownField(here, _meant(str(name), fields) if guess else ""))
        elif inner is not None:
            result[name] = tidy(inner, fields[name], unknown, here)
    return result


def _meant(name: str, fields: dict[str, Any]) -> str:
    """The field that was perhaps meant: the same one a level deeper (bad indentation), or one spelt nearly so."""
    for outer, annotation in fields.items():
        shape = _shape(annotation)
        if outer in ("spec", "metadata") and shape.kind == "struct" and name in _fields(shape.model):
            return f"{outer}.{name}"
    lowered = {field.lower(): field for field in fields}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""
