"""The documents as protobuf: the numbers of the fields in gnostic's messages, which Kubernetes' clients read.

Only what v2.py and v3.py write is here. A key that is missing in a table is an error, not a loss (wire.py).
"""

from __future__ import annotations

from typing import Any, Final

from master.api.openapi.wire import COUNT, DOUBLE, FLAG, TEXT, YAML, Codec, Each, Inside, Message, Named, OneOf


def _is_reference(value: Any) -> bool:
    return "$ref" in value


class _Scalar:
    """The default of a schema in version 3: a message for a number (1), a flag (2) or a text (3).

    Other defaults cannot be written, so that readers of protobuf do not see them.
    """

    def field(self, number: int, value: Any) -> bytes:
        codec: Inside
        match value:
            case bool():
                codec = Inside(FLAG, 2)
            case int() | float():
                codec = Inside(DOUBLE, 1)
            case str():
                codec = Inside(TEXT, 3)
            case _:
                return b""
        return codec.field(number, value)


def _schema(numbers: dict[str, int], *, extensions: int) -> Message:
    """The fields of a schema that are written alike in both versions."""
    codecs: dict[str, Codec] = {
        "$ref": TEXT,
        "format": TEXT,
        "description": TEXT,
        "pattern": TEXT,
        "nullable": FLAG,
        "uniqueItems": FLAG,
        "maximum": DOUBLE,
        "minimum": DOUBLE,
        **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"), COUNT),
        "required": Each(TEXT),
        "enum": Each(YAML),
    }
    message = Message(extensions=extensions)
    message.fields = {key: (number, codecs[key]) for key, number in numbers.items()}
    return message


_SCHEMA_V2: Final = {
    "$ref": 1,
    "format": 2,
    "description": 4,
    "maximum": 7,
    "minimum": 9,
    "maxLength": 11,
    "minLength": 12,
    "pattern": 13,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
    "required": 19,
    "enum": 20,
}
"""The numbers of the fields of a schema in version 2 that are written alike in both versions."""


def _second_version() -> Message:
    schema = _schema(_SCHEMA_V2, extensions=31)
    schema.fields |= {
        "default": (5, YAML),
        "additionalProperties": (21, Inside(schema)),
        "type": (22, Inside(TEXT)),
        "items": (23, Inside(schema)),
        "properties": (25, Inside(Named(schema))),
    }
    parameter = _parameter_of_second_version(schema)
    reference = Message()
    reference.fields = {"$ref": (1, TEXT)}
    parameters = Each(OneOf(parameter, reference, _is_reference))
    response = Message(description=(1, TEXT), schema=(2, Inside(schema)))
    operation = Message(
        extensions=13,
        tags=(1, Each(TEXT)),
        description=(3, TEXT),
        operationId=(5, TEXT),
        produces=(6, Each(TEXT)),
        consumes=(7, Each(TEXT)),
        parameters=(8, parameters),
        responses=(9, Inside(Named(Inside(response)))),
        schemes=(10, Each(TEXT)),
    )
    methods = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    path = Message(parameters=(9, parameters))
    path.fields |= {method: (number, operation) for method, number in methods.items()}
    return Message(
        swagger=(1, TEXT),
        info=(2, Message(title=(1, TEXT), version=(2, TEXT))),
        paths=(8, Inside(Named(path), 2)),
        definitions=(9, Inside(Named(schema))),
        parameters=(10, Inside(Named(parameter))),
    )


def _parameter_of_second_version(schema: Message) -> OneOf:
    """A parameter: the body (1), or one of another place (2), which is a message of one of several fields."""
    body = Message(description=(1, TEXT), name=(2, TEXT), required=(4, FLAG), schema=(5, schema))
    query = Message(required=(1, FLAG), description=(3, TEXT), name=(4, TEXT), type=(6, TEXT), uniqueItems=(20, FLAG))
    path = Message(required=(1, FLAG), description=(3, TEXT), name=(4, TEXT), type=(5, TEXT), uniqueItems=(19, FLAG))
    body.fields["in"], query.fields["in"], path.fields["in"] = (3, TEXT), (2, TEXT), (2, TEXT)
    return OneOf(body, _Place({"query": (3, query), "path": (4, path)}), lambda value: value["in"] != "body")


class _Place:
    """A parameter in the query or the path, whose field in the message depends on the place."""

    def __init__(self, places: dict[str, tuple[int, Message]]) -> None:
        self._places = places

    def field(self, number: int, value: Any) -> bytes:
        within, message = self._places[value["in"]]
        return Inside(message, within).field(number, value)


_SCHEMA_V3: Final = {
    "nullable": 1,
    "maximum": 11,
    "minimum": 13,
    "maxLength": 15,
    "minLength": 16,
    "pattern": 17,
    "maxItems": 18,
    "minItems": 19,
    "uniqueItems": 20,
    "maxProperties": 21,
    "minProperties": 22,
    "required": 23,
    "enum": 24,
    "description": 34,
    "format": 35,
}
"""The numbers of the fields of a schema in version 3 that are written alike in both versions."""


def _third_version() -> Message:
    schema = _schema(_SCHEMA_V3, extensions=36)
    reference = Message()
    reference.fields = {"$ref": (1, TEXT)}
    either = OneOf(schema, reference, _is_reference)
    schema.fields |= {
        "type": (25, TEXT),
        "allOf": (26, Each(either)),
        "oneOf": (27, Each(either)),
        "items": (30, Inside(either)),
        "properties": (31, Inside(Named(either))),
        "additionalProperties": (32, Inside(either)),
        "default": (33, _Scalar()),
    }
    content = Inside(Named(Message(schema=(1, either))))
    parameter = Message(name=(1, TEXT), description=(3, TEXT), required=(4, FLAG), schema=(10, either))
    parameter.fields["in"] = (2, TEXT)
    parameters = Each(Inside(parameter))
    response = Message(description=(1, TEXT), content=(3, content))
    operation = Message(
        extensions=13,
        tags=(1, Each(TEXT)),
        description=(3, TEXT),
        operationId=(5, TEXT),
        parameters=(6, parameters),
        requestBody=(7, Inside(Message(content=(2, content), required=(3, FLAG)))),
        responses=(8, Inside(Named(Inside(response)), 2)),
    )
    methods = {"get": 4, "put": 5, "post": 6, "delete": 7, "patch": 10}
    path = Message(parameters=(13, parameters))
    path.fields |= {method: (number, operation) for method, number in methods.items()}
    return Message(
        openapi=(1, TEXT),
        info=(2, Message(title=(1, TEXT), version=(6, TEXT))),
        paths=(4, Inside(Named(path))),
        components=(5, Message(schemas=(1, Inside(Named(either))))),
    )


DOCUMENT_V2: Final = _second_version()
"""A document of version 2."""
DOCUMENT_V3: Final = _third_version()
"""A document of version 3."""
