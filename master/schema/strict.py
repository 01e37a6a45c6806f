"""A strict copy of a typed model, which refuses in C what a look in Python would find.

`Decoder.decode` of a strict model succeeds only for text that `prune` would leave as it is: no unknown field, no null
where a value is needed, no number for a quantity, no integer beyond its size, no list that is too long. Everything that
C cannot judge, such as a time, makes it fail as well: then pruning.py has the last word.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from master.schema.models import struct_of
from master.schema.pruning import INTEGER_LIMITS, MAX_ITEMS
from master.schema.tree import Number, Text

_LONGEST: Final = msgspec.Meta(max_length=MAX_ITEMS)


@cache
def strict(model: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The strict copy of a model. All its fields are optional: a model says what is required when it is decoded.

    Encoded again, a decoded text has the same fields, those with null included.
    """
    tree = struct_of(model)
    fields = [
        (field.name, _strict(field.type, tree.fields[field.encode_name].node) | None | msgspec.UnsetType, msgspec.UNSET)
        for field in msgspec.structs.fields(model)
    ]
    names = {field.name: field.encode_name for field in msgspec.structs.fields(model)}
    return msgspec.defstruct(f"Strict{model.__name__}", fields, rename=names, forbid_unknown_fields=True, gc=False)


def _strict(annotation: Any, node: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) == 1:
            return _strict(inner[0], node)
        number, text = (_scalar(argument, getattr(node, "number", node)) for argument in inner)
        return number | text
    if origin is tuple:
        return Annotated[types.GenericAlias(tuple, (_strict(arguments[0], node.item), ...)), _LONGEST]
    if origin is dict:
        return dict[str, _strict(arguments[1], node.item)]  # type: ignore[misc]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return strict(annotation)
    return _scalar(annotation, node)


def _scalar(annotation: Any, node: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation is str and isinstance(node, Text) and node.format not in ("", "quantity"):
        # Only the empty text certainly has the form.
        return Annotated[str, msgspec.Meta(max_length=0)]
    if annotation is int and isinstance(node, Number):
        limit = INTEGER_LIMITS[node.bits]
        return Annotated[int, msgspec.Meta(ge=-limit, le=limit - 1)]
    return annotation
