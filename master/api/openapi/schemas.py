"""Schemas: a type of the tree as OpenAPI describes it.

Versions 2 and 3 of OpenAPI differ in how a reference is written and in what may stand beside it (`Dialect`).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from master.api.openapi import names
from master.api.openapi.catalog import Catalog
from master.api.openapi.names import Scope
from master.schema.tree import (
    Anything,
    Field,
    Flag,
    Items,
    Map,
    Node,
    Number,
    NumberOrText,
    Rules,
    Struct,
    Text,
    Union,
)

Schema = dict[str, Any]
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


@dataclass(frozen=True, slots=True)
class Dialect:
    """A version of OpenAPI. `alternatives`: it can say that a value has one of several types."""

    prefix: str
    alternatives: bool

    def reference(self, name: str) -> Schema:
        return {"$ref": f"{self.prefix}{name}"}


V2: Final = Dialect("#/definitions/", alternatives=False)
V3: Final = Dialect("#/components/schemas/", alternatives=True)


class Schemas:
    """Writes the definitions of a catalogue in one dialect."""

    def __init__(self, catalog: Catalog, dialect: Dialect) -> None:
        self._catalog = catalog
        self._dialect = dialect

    def all(self) -> dict[str, Schema]:
        """All definitions, in the order of their names."""
        catalog = self._catalog
        found = {name: self._definition(name) for name in catalog.definitions}
        found |= {name: self._list(item) for name, item in catalog.lists.items()}
        found |= {name: _value(name) for name in catalog.values}
        for name, kinds in catalog.kinds.items():
            found[name]["x-kubernetes-group-version-kind"] = [kind.document() for kind in kinds]
        return dict(sorted({**_scalars(self._dialect), **found}.items()))

    def _definition(self, name: str) -> Schema:
        definition = self._catalog.definitions[name]
        return self._struct(definition.struct, definition.scope, definition.required)

    def _list(self, item: str) -> Schema:
        properties = {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": self._dialect.reference(item)},
            "kind": {"type": "string"},
            "metadata": self._referring(f"{names.META}.ListMeta", {}),
        }
        return {"type": "object", "required": ["items"], "properties": properties}

    def _struct(self, struct: Struct, scope: Scope, required: Iterable[str]) -> Schema:
        schema: Schema = {}
        if struct.description:
            schema["description"] = _reflowed(struct.description)
        schema["type"] = "object"
        schema |= _rules(struct.rules, "Properties")
        if always := sorted(required):
            schema["required"] = always
        if struct.fields:
            fields = struct.fields.values()
            schema["properties"] = {field.name: self._field(struct, field, scope) for field in fields}
        if struct.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        if struct.open:
            schema["x-kubernetes-preserve-unknown-fields"] = True
        if struct.unions:
            schema["x-kubernetes-unions"] = [_union(union) for union in struct.unions]
        return schema

    def _part(self, struct: Struct, scope: Scope) -> Schema:
        """A type without a definition, such as an object in a custom resource."""
        return self._struct(struct, scope, [field.name for field in struct.fields.values() if field.required])

    def _field(self, struct: Struct, field: Field, scope: Scope) -> Schema:
        beside: Schema = {}
        if description := field.description or description_in(struct, field):
            beside["description"] = description
        if field.default is not None:
            beside["default"] = field.default
        if field.patch:
            beside["x-kubernetes-patch-strategy"] = field.patch
        if isinstance(field.node, Items) and field.node.merge_key:
            beside["x-kubernetes-patch-merge-key"] = field.node.merge_key
        if field.atomic is not None and isinstance(field.node, Map | Struct):
            beside["x-kubernetes-map-type"] = "atomic" if field.atomic else "granular"
        schema = self._node(field.node, scope)
        if "$ref" in schema:
            return self._referring(schema["$ref"].removeprefix(self._dialect.prefix), beside)
        return {**beside, **schema}

    def _referring(self, name: str, beside: Schema) -> Schema:
        """A reference with other keys. Version 3 ignores what stands beside a reference, unless it is wrapped."""
        reference = self._dialect.reference(name)
        if beside and self._dialect.alternatives:
            return {**beside, "allOf": [reference]}
        return {**beside, **reference}

    def _node(self, node: Node, scope: Scope) -> Schema:
        match node:
            case Text():
                return self._text(node)
            case Number():
                return _number(node)
            case Flag():
                return {"type": "boolean", **_rules(node.rules)}
            case NumberOrText():
                return self._number_or_text(node)
            case Items():
                return self._items(node, scope)
            case Map():
                inner = self._node(node.item, scope)
                return {"type": "object", "additionalProperties": inner, **_rules(node.rules, "Properties")}
            case Struct():
                name = self._catalog.name(node, scope)
                return self._dialect.reference(name) if name else self._part(node, scope)
            case Anything():
                name = self._catalog.name(node, scope)
                if name:
                    return self._dialect.reference(name)
                return _rules(node.rules) | {"x-kubernetes-preserve-unknown-fields": True}

    def _text(self, node: Text) -> Schema:
        named = {"time": names.TIME, "microtime": names.MICRO_TIME, "quantity": names.QUANTITY}.get(node.format)
        if named is not None and not node.rules:
            return self._dialect.reference(named)
        schema: Schema = {"type": "string"}
        if node.format == "bytes":
            schema["format"] = "byte"
        return schema | _rules(node.rules, "Length")

    def _number_or_text(self, node: NumberOrText) -> Schema:
        if not node.rules:
            return self._dialect.reference(names.INT_OR_STRING)
        return {"x-kubernetes-int-or-string": True, **_rules(node.rules)}

    def _items(self, node: Items, scope: Scope) -> Schema:
        schema: Schema = {"type": "array", "items": self._node(node.item, scope), **_rules(node.rules, "Items")}
        schema["x-kubernetes-list-type"] = node.kind
        if node.keys:
            schema["x-kubernetes-list-map-keys"] = list(node.keys)
        return schema


def _reflowed(text: str) -> str:
    """A description with one line for each paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def description_in(struct: Struct, field: Field) -> str:
    """What the description of a struct says about one of its fields, and whether the field has no effect yet.

    A model describes its fields in its docstring, where each is named in backticks.
    """
    mark = f"`{field.name}`"
    told = [sentence for sentence in _sentences(struct.description) if mark in sentence]
    if field.inert:
        but = f" (except for {_listed(field.effective)})" if field.effective else ""
        told.append(f"It has no effect yet{but}; otherwise, {field.inert}.")
    if field.refused:
        only = f" (only {_listed(field.refused_values)})" if field.refused_values else ""
        told.append(f"It is refused{only}; otherwise, {field.refused}.")
    return " ".join(told)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _sentences(text: str) -> list[str]:
    return _SENTENCE.split(" ".join(text.split())) if "`" in text else []


def _number(node: Number) -> Schema:
    if node.bits == 0:
        return {"type": "number", "format": "double", **_rules(node.rules)}
    return {"type": "integer", "format": f"int{node.bits}", **_rules(node.rules)}


def _rules(rules: Rules, sizes: str = "") -> Schema:
    """What OpenAPI can say of the rules. `sizes`: what the limits of the size are named after, as in `minItems`."""
    schema: Schema = {}
    if rules.choice:
        schema["enum"] = list(rules.choice)
    if rules.within is not None:
        bounds = zip(("minimum", "maximum"), rules.within, strict=True)
        schema |= {key: bound for key, bound in bounds if not math.isinf(bound)}
    if rules.pattern:
        schema["pattern"] = rules.pattern
    for key, size in ((f"min{sizes}", rules.least_size), (f"max{sizes}", rules.most_size)):
        if sizes and size is not None:
            schema[key] = size
    if rules.nullable:
        schema["nullable"] = True
    return schema


def _value(name: str) -> Schema:
    """The schema of a type that can be any JSON. Two of these are objects."""
    schema: Schema = {"description": "Any value, which is stored as it is."}
    return {**schema, "type": "object"} if name in (names.RAW_EXTENSION, names.FIELDS) else schema


def _union(union: Union) -> Mapping[str, Any]:
    fields = {"fields-to-discriminateBy": dict(union.fields)}
    return {"discriminator": union.discriminator, **fields} if union.discriminator else fields


def _scalars(dialect: Dialect) -> dict[str, Schema]:
    """Types that are a text or a number in JSON, and have a name all the same."""

    def either(schema: Schema, *types: str) -> Schema:
        return {**schema, "oneOf": [{"type": name} for name in types]} if dialect.alternatives else schema

    number_or_text: Schema = {"format": "int-or-string"}
    if not dialect.alternatives:
        number_or_text["type"] = "string"
    quantity: Schema = {} if dialect.alternatives else {"type": "string"}
    return {
        names.TIME: {"type": "string", "format": "date-time", "description": "A time, as in RFC 3339."},
        names.MICRO_TIME: {"type": "string", "format": "date-time", "description": "A time with microseconds."},
        names.PATCH: {"type": "object", "description": "A change of an object. The media type says in which form."},
        names.QUANTITY: {
            "description": "An amount: a number with or without a fraction, and with a unit such as m, k, Mi or e3.",
            **either(quantity, "string", "number"),
        },
        names.INT_OR_STRING: {
            "description": "An integer of 32 bits, or a text: a percentage or the name of a port.",
            **either(number_or_text, "integer", "string"),
        },
    }
