"""The tree of types of a custom resource, from the `openAPIV3Schema` of its definition.

Understands the types and rules of structural schemas: type, format int32 and byte, properties, additionalProperties,
items, required, enum, minimum and maximum, pattern, sizes, default, nullable, and the `x-kubernetes-` extensions for
lists, maps, unknown fields, embedded resources and integers or strings. Ignores allOf, anyOf, oneOf, not, rules in CEL
and other formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from master.objects.meta import ObjectMeta
from master.schema.models import struct_of
from master.schema.tree import Anything, Field, Flag, Items, Map, Node, Number, NumberOrText, Rules, Struct, Text

_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_BITS: Final = {"int32": 32}
_FORMATS: Final = {"byte": "bytes"}


class BadSchema(ValueError):
    """A schema that is not structural. The message has the path of the fault."""


def struct_of_schema(name: str, schema: Mapping[str, Any]) -> Struct:
    """The tree of a whole object. `name` is that of the kind. Raises BadSchema."""
    node = _node(schema, name, "openAPIV3Schema")
    if not isinstance(node, Struct):
        raise BadSchema("openAPIV3Schema.type: must be object, with properties or unknown fields")
    return node


def _node(schema: Any, name: str, at: str) -> Node:
    if not isinstance(schema, Mapping):
        raise BadSchema(f"{at}: must be an object")
    try:
        re.compile(str(schema.get("pattern", "")))
    except re.error as error:
        raise BadSchema(f"{at}.pattern: must be a regular expression: {error}") from error
    if schema.get(_INT_OR_STRING):
        rules = _rules(schema)
        return NumberOrText(Number(32, rules), Text("", rules), rules)
    match schema.get("type"):
        case "object":
            return _object(schema, name, at)
        case "array":
            return _array(schema, name, at)
        case "string":
            return Text(_FORMATS.get(schema.get("format", ""), ""), _rules(schema, "Length"))
        case "integer":
            return Number(_BITS.get(schema.get("format", ""), 64), _rules(schema))
        case "number":
            return Number(0, _rules(schema))
        case "boolean":
            return Flag(_rules(schema))
        case None if schema.get(_PRESERVE):
            return Anything(_rules(schema))
        case other:
            raise BadSchema(f"{at}.type: must be object, array, string, integer, number or boolean, got {other!r}")


def _object(schema: Mapping[str, Any], name: str, at: str) -> Node:
    rules = _rules(schema, "Properties")
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping) and not properties:
        return Map(_node(extra, name, f"{at}.additionalProperties"), rules)
    preserves = bool(schema.get(_PRESERVE)) or extra is True
    required = frozenset(schema.get("required", ()))
    fields = {
        key: _field(key, inner, f"{name}.{key}", f"{at}.properties[{key}]", required=key in required)
        for key, inner in properties.items()
    }
    if schema.get(_EMBEDDED):
        fields |= {key: Field(key, Text(), attribute=key, required=True) for key in ("apiVersion", "kind")}
        fields["metadata"] = Field("metadata", struct_of(ObjectMeta), attribute="metadata")
    return Struct(
        name,
        fields,
        open=preserves,
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        rules=rules,
        description=str(schema.get("description", "")),
    )


def _field(name: str, schema: Any, type_name: str, at: str, *, required: bool) -> Field:
    node = _node(schema, type_name, at)
    return Field(
        name,
        node,
        attribute=name,
        required=required,
        default=schema.get("default"),
        empty_is_value=True,
        description=str(schema.get("description", "")),
    )


def _array(schema: Mapping[str, Any], name: str, at: str) -> Items:
    if "items" not in schema:
        raise BadSchema(f"{at}.items: must be set for an array")
    return Items(
        _node(schema["items"], name, f"{at}.items"),
        kind=str(schema.get("x-kubernetes-list-type", "atomic")),
        keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        rules=_rules(schema, "Items"),
    )


def _rules(schema: Mapping[str, Any], sizes: str = "") -> Rules:
    """`sizes`: what the limits of the size are named after, as in `minItems`."""
    return Rules(
        choice=tuple(value for value in schema.get("enum", ()) if value is not None),
        within=_within(schema),
        pattern=str(schema.get("pattern", "")),
        least_size=schema.get(f"min{sizes}") if sizes else None,
        most_size=schema.get(f"max{sizes}") if sizes else None,
        nullable=bool(schema.get("nullable")),
    )


def _within(schema: Mapping[str, Any]) -> tuple[float, float] | None:
    """The range of a number, both ends included. A bound that is excluded becomes the next number."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None and most is None:
        return None
    integer = schema.get("type") == "integer"
    if least is not None and schema.get("exclusiveMinimum"):
        least = math.floor(least) + 1 if integer else math.nextafter(least, math.inf)
    if most is not None and schema.get("exclusiveMaximum"):
        most = math.ceil(most) - 1 if integer else math.nextafter(most, -math.inf)
    return -math.inf if least is None else least, math.inf if most is None else most
