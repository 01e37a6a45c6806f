"""The tree of types of a typed model (master/objects/meta.py), read from its annotations.

What annotations do not say is added from the facts of the Kubernetes API (facts.py): protobuf numbers, merge keys and
list types. That happens when they are first needed, because reading the facts would delay the start of the process.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from master.schema.completion import completed
from master.schema.facts import facts
from master.schema.tree import Anything, Field, Flag, Items, Map, Node, Number, NumberOrText, Rules, Struct, Text


@cache
def struct_of(model: type[msgspec.Struct]) -> Struct:
    """The tree of a model. Each model has one Struct, so that trees share the nodes of common types."""
    struct = Struct(model.__name__, one_of=getattr(model, "ONE_OF", ()), description=model.__doc__ or "")
    _BEING_READ[model] = struct
    try:
        struct.fields = {field.encode_name: _field(field) for field in msgspec.structs.fields(model)}
    finally:
        del _BEING_READ[model]
    return struct


# Models whose fields are being read. A model that contains itself finds its Struct here.
_BEING_READ: dict[type[msgspec.Struct], Struct] = {}


@cache
def full_struct_of(model: type[msgspec.Struct]) -> Struct:
    """The tree of a model with the facts of its type.

    The type is that of the kind with the model's name, or the one that the class names as `TYPE` (such as
    `core.v1.Event`, because there are two kinds of this name). A type of our own has no facts.
    """
    name = getattr(model, "TYPE", "") or facts().of_kind(model.__name__)
    return completed(struct_of(model), name, facts()) if name else struct_of(model)


def _field(field: msgspec.structs.FieldInfo) -> Field:
    extra = _extra(field.type)
    return Field(
        name=field.encode_name,
        attribute=field.name,
        node=_node(field.type),
        required=bool(extra.get("required")),
        default=extra.get("default"),
        zero_is_missing=not _optional(field.type),
        inert=str(extra.get("inert", "")),
        effective=tuple(extra.get("effective", ())),
        refused=str(extra.get("refused", "")),
        refused_values=tuple(extra.get("refused_values", ())),
    )


def _extra(annotation: Any) -> dict[str, Any]:
    """All rules of an annotation. In a union with None, those of the other type."""
    if get_origin(annotation) is Annotated:
        extra = _extra(get_args(annotation)[0])
        for meta in annotation.__metadata__:
            if isinstance(meta, msgspec.Meta):
                extra |= meta.extra or {}
        return extra
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _extra(inner[0]) if len(inner) == 1 else {}
    return {}


def _optional(annotation: Any) -> bool:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return type(None) in get_args(annotation)


def _node(annotation: Any) -> Node:
    extra = _extra(annotation)
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _node(inner[0]) if len(inner) == 1 else _number_or_text(inner)
    if origin is tuple:
        return Items(_node(get_args(annotation)[0]))
    if origin is dict:
        return Map(_node(get_args(annotation)[1]))
    if annotation is str:
        return Text(extra.get("format", ""), _rules(extra))
    if annotation is bool:
        return Flag()
    if annotation is int:
        return Number(extra.get("bits", 64), _rules(extra))
    if annotation is float:
        return Number(0, _rules(extra))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _BEING_READ.get(annotation) or struct_of(annotation)
    return Anything()


def _number_or_text(alternatives: list[Any]) -> Node:
    nodes = [_node(alternative) for alternative in alternatives]
    number = next((node for node in nodes if isinstance(node, Number)), None)
    text = next((node for node in nodes if isinstance(node, Text)), None)
    return NumberOrText(number, text) if number and text else Anything()


def _rules(extra: dict[str, Any]) -> Rules:
    return Rules(choice=tuple(extra.get("choice", ())), within=extra.get("within"), form=extra.get("form", ""))
