"""Every place of a model at which a value may stand, found from the model: a new field needs no word here."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

# What stands before a place in its list, so that a path with the wrong index is noticed.
_FIRST: dict[str, Any] = {"struct": {}, "map": {}, "list": [], "int": 1, "bool": True}


@dataclass(frozen=True, slots=True)
class Place:
    """One place: its steps (field, index 1, key `key`), its shape, and what its field's annotation says beyond."""

    steps: tuple[str | int, ...]
    shape: str
    model: str
    field: str
    extra: dict[str, Any]
    # Clients and other implementations insist on the field: the model writes it always.
    always: bool = False
    # The shapes of the places on the way.
    outer: tuple[str, ...] = ()

    def path(self, *, quantity: bool = False) -> str:
        """As the API writes it: `spec.ports[1].port`, `metadata.labels[key]`, of quantities `limits.key`."""
        text = ""
        for step, outer in zip(self.steps, self.outer, strict=True):
            if outer == "struct" or (outer == "map" and quantity):
                text += f".{step}" if text else str(step)
            else:
                text += f"[{step}]"
        return text

    def put(self, document: dict[str, Any], value: Any) -> dict[str, Any]:
        """A copy of the document with the value at this place; what is missing on the way is made."""
        made: dict[str, Any] = _put(document, self.steps, self.outer, self.shape, value)
        return made

    def get(self, document: Any) -> Any:
        """What stands there, or None."""
        for step in self.steps:
            try:
                document = document[step]
            except (KeyError, IndexError, TypeError):
                return None
        return document

    @property
    def in_status(self) -> bool:
        return self.steps[0] == "status"


def _put(at: Any, steps: tuple[str | int, ...], outer: tuple[str, ...], shape: str, value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if outer[0] == "list":
        kept = list(at) if isinstance(at, list) else []
        item = _put(kept[1] if len(kept) > 1 else None, rest, outer[1:], shape, value)
        inner_shape = outer[1] if rest else shape
        return [kept[0] if kept else _FIRST.get(inner_shape, "first"), item]
    made = dict(at) if isinstance(at, dict) else {}
    made[str(step)] = _put(made.get(str(step)), rest, outer[1:], shape, value)
    return made


def places(model: type[msgspec.Struct]) -> list[Place]:
    """All of them, the model's own fields first."""
    return list(_struct(model, (), ()))


def _struct(model: type[msgspec.Struct], steps: tuple[str | int, ...], outer: tuple[str, ...]) -> Iterator[Place]:
    for field in msgspec.structs.fields(model):
        always = field.default is msgspec.NODEFAULT and field.default_factory not in (dict, msgspec.NODEFAULT)
        where = (model.__name__, field.encode_name, always)
        yield from _walk(field.type, (*steps, field.encode_name), (*outer, "struct"), where)


def _walk(
    annotation: Any, steps: tuple[str | int, ...], outer: tuple[str, ...], where: tuple[str, str, bool]
) -> Iterator[Place]:
    shape, extra, inner = _shape(annotation)
    model, field, always = where
    yield Place(steps, shape, model, field, extra, always, outer)
    if shape == "struct":
        yield from _struct(inner, steps, outer)
    elif shape == "list":
        yield from _walk(inner, (*steps, 1), (*outer, "list"), (model, field, False))
    elif shape == "map":
        yield from _walk(inner, (*steps, "key"), (*outer, "map"), (model, field, False))


def _shape(annotation: Any) -> tuple[str, dict[str, Any], Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        extra: dict[str, Any] = next((meta.extra for meta in annotation.__metadata__ if meta.extra), {})
        special = [kind for kind in ("time", "quantity") if kind in extra]
        return special[0] if special else _shape(args[0])[0], extra, None
    if origin in (Union, types.UnionType):
        kept = [arg for arg in args if arg is not type(None)]
        if len(kept) == 1:
            return _shape(kept[0])
        assert {_shape(arg)[0] for arg in kept} == {"int", "str"}, annotation
        return "int or str", _shape(kept[0])[1], None
    if origin is tuple:
        return "list", {}, args[0]
    if origin is dict:
        return "map", {}, args[1]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return "struct", {}, annotation
    return {str: "str", int: "int", bool: "bool"}.get(annotation, "anything"), {}, None
