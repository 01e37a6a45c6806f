"""All places in a model that can have a value, derived from the model, so that new fields are tested automatically."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from master.objects.meta import ObjectMeta
from master.registry.resource import Resource
from master.schema.schema import Typed
from master.schema.tree import Field, Flag, Items, Map, Node, Number, NumberOrText, Struct, Text

# The first item of a list, before the place with index 1, so that a path with a wrong index is noticed.
_FIRST: dict[str, Any] = {"struct": {}, "map": {}, "list": [], "int": 1, "bool": True}


@dataclass(frozen=True, slots=True)
class Place:
    """One place: its steps (field, index 1, key `key` or `cpu`), its shape, and the rules of its field (`extra`)."""

    steps: tuple[str | int, ...]
    shape: str
    model: str
    field: str
    extra: dict[str, Any]
    # The model always encodes the field, because clients require it.
    always: bool = False
    # The shapes of the enclosing places.
    outer: tuple[str, ...] = ()

    def path(self) -> str:
        """The path in the API's form: `spec.ports[1].port`, `metadata.labels[key]`."""
        text = ""
        for step, outer in zip(self.steps, self.outer, strict=True):
            if outer == "struct":
                text += f".{step}" if text else str(step)
            else:
                text += f"[{step}]"
        return text

    def put(self, document: dict[str, Any], value: Any) -> dict[str, Any]:
        """A copy of the document with the value at this place. Creates missing enclosing objects and lists."""
        result: dict[str, Any] = _put(document, self.steps, self.outer, self.shape, value)
        return result

    def get(self, document: Any) -> Any:
        """The value at this place, or None."""
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
        items = list(at) if isinstance(at, list) else []
        item = _put(items[1] if len(items) > 1 else None, rest, outer[1:], shape, value)
        inner_shape = outer[1] if rest else shape
        return [items[0] if items else _FIRST.get(inner_shape, "first"), item]
    copy = dict(at) if isinstance(at, dict) else {}
    copy[str(step)] = _put(copy.get(str(step)), rest, outer[1:], shape, value)
    return copy


def places_of_kind(kind: Resource[Any]) -> list[Place]:
    """All places of a kind: of its model, or of the types of a kind that is only data."""
    if isinstance(kind.schema, Typed):
        return places(kind.schema.model)
    return list(_of_struct(kind.schema.tree, (), ()))


def _of_struct(struct: Struct, steps: tuple[str | int, ...], outer: tuple[str, ...]) -> Iterator[Place]:
    if struct.name == ObjectMeta.__name__:
        for place in places(ObjectMeta):
            yield replace(place, steps=(*steps, *place.steps), outer=(*outer, *place.outer))
        return
    for field in struct.fields.values():
        yield from _of_node(field.node, (*steps, field.name), (*outer, "struct"), struct, field)


def _of_node(
    node: Node, steps: tuple[str | int, ...], outer: tuple[str, ...], struct: Struct, field: Field
) -> Iterator[Place]:
    extra = {"bits": node.bits, "within": node.rules.within} if isinstance(node, Number) else {}
    if isinstance(node, Text) and node.rules.choice:
        extra = {"choice": node.rules.choice}
    extra = {key: value for key, value in extra.items() if value is not None}
    model = struct.name.rpartition(".")[2]
    yield Place(steps, _shape_of(node), model, field.name, extra, outer=outer)
    if isinstance(node, Struct):
        yield from _of_struct(node, steps, outer)
    elif isinstance(node, Items):
        yield from _of_node(node.item, (*steps, 1), (*outer, "list"), struct, field)
    elif isinstance(node, Map):
        yield from _of_node(node.item, (*steps, "key"), (*outer, "map"), struct, field)


def _shape_of(node: Node) -> str:
    match node:
        case Text():
            return {"microtime": "time"}.get(node.format, node.format) or "str"
        case Number() if node.bits:
            return "int"
        case Flag():
            return "bool"
        case NumberOrText():
            return "int or str"
        case Items():
            return "list"
        case Map():
            return "map"
        case Struct():
            return "struct"
        case _:
            return "anything"


def places(model: type[msgspec.Struct]) -> list[Place]:
    """All places of a model."""
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
        # Only resources that exist may be keys of a list of resources.
        key = "cpu" if _shape(inner)[0] == "quantity" else "key"
        yield from _walk(inner, (*steps, key), (*outer, "map"), (model, field, False))


def _shape(annotation: Any) -> tuple[str, dict[str, Any], Any]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shape, extra, inner = _shape(args[0])
        for meta in annotation.__metadata__:
            extra = {**extra, **(meta.extra or {})}
        return extra.get("format") or shape, extra, inner
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
