"""The schema of a custom resource: what is decoded, pruned, defaulted and refused."""

from __future__ import annotations

from typing import Any

import pytest

from master.schema.checks import Findings
from master.schema.data import Data
from master.schema.openapi import BadSchema, struct_of_schema
from master.schema.pruning import WrongType
from master.schema.tree import Items, Struct

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 5},
        "ratio": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "count": {"type": "integer", "maximum": 10, "exclusiveMaximum": True},
        "tier": {"type": "string", "enum": ["gold", "silver"], "default": "silver"},
        "level": {"type": "integer", "enum": [1, 2]},
        "on": {"type": "boolean", "default": False},
        "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
        "port": {"x-kubernetes-int-or-string": True},
        "blob": {"type": "string", "format": "byte"},
        "note": {"type": "string", "nullable": True, "default": "none"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "string"}},
        },
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "parts": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "weight": {"type": "integer", "default": 1}},
            },
        },
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}
SCHEMA = Data(
    "Widget",
    struct_of_schema("Widget", {"type": "object", "description": "A widget.", "properties": {"spec": SPEC}}),
)


def stored(spec: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The spec as it is stored, and the unknown fields."""
    unknown: list[Any] = []
    obj = SCHEMA.read({"spec": spec}, unknown)
    return SCHEMA.default(obj).content["spec"], [field.path for field in unknown]


def findings(spec: dict[str, Any]) -> list[tuple[str, str]]:
    obj = SCHEMA.read({"spec": spec}, [])
    result = Findings()
    SCHEMA.check(SCHEMA.default(obj), result)
    return [(cause.field, cause.message) for cause in result.causes]


@pytest.mark.parametrize(
    ("spec", "result", "unknown"),
    [
        ({}, {"tier": "silver", "on": False, "note": "none"}, []),
        ({"sise": 1}, {"tier": "silver", "on": False, "note": "none"}, ["spec.sise"]),
        ({"tier": None, "note": None}, {"tier": "silver", "on": False, "note": None}, []),
        ({"parts": [{"name": "a", "x": 1}]}, {"parts": [{"name": "a", "weight": 1}]}, ["spec.parts[0].x"]),
        ({"free": {"a": "1", "b": [None, {"c": 2}]}}, {"free": {"a": "1", "b": [None, {"c": 2}]}}, []),
        ({"any": [1, {"a": None}]}, {"any": [1, {"a": None}]}, []),
        ({"port": 80, "labels": {"a": "b"}}, {"port": 80, "labels": {"a": "b"}}, []),
        (
            {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "x": 1}, "spec": {}}},
            {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}},
            ["spec.template.metadata.x"],
        ),
    ],
)
def test_what_is_stored(spec: dict[str, Any], result: dict[str, Any], unknown: list[str]) -> None:
    defaults = {"tier": "silver", "on": False, "note": "none"}
    assert stored(spec) == ({**defaults, **result}, unknown)


@pytest.mark.parametrize(
    ("spec", "path", "what"),
    [
        ({"size": "1"}, "spec.size", "Expected `int`, got `str`"),
        ({"size": 1.5}, "spec.size", "Expected `int`, got `float`"),
        ({"size": 1 << 31}, "spec.size", "Expected `int` <= 2147483647"),
        ({"on": "yes"}, "spec.on", "Expected `bool`, got `str`"),
        ({"port": True}, "spec.port", "Expected `int | str`, got `bool`"),
        ({"blob": "not base64!"}, "spec.blob", "Expected base64"),
        ({"parts": {"name": "a"}}, "spec.parts", "Expected `array`, got `object`"),
        ({"parts": [None]}, "spec.parts[0]", "Expected `object`, got `null`"),
        ({"labels": {"a": 1}}, "spec.labels[a]", "Expected `str`, got `int`"),
    ],
)
def test_wrong_types_are_refused_with_their_path(spec: dict[str, Any], path: str, what: str) -> None:
    with pytest.raises(WrongType) as refused:
        stored(spec)
    assert (refused.value.path, refused.value.what) == (path, what)


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ({"size": 1}, []),
        ({}, [("spec.size", "Required value")]),
        ({"size": 0}, [("spec.size", "Invalid value: 0: must be greater than or equal to 1")]),
        ({"size": 6}, [("spec.size", "Invalid value: 6: must be less than or equal to 5")]),
        ({"size": 1, "ratio": 0.1, "count": 9}, []),
        ({"size": 1, "count": 10}, [("spec.count", "Invalid value: 10: must be less than or equal to 9")]),
        ({"size": 1, "tier": ""}, [("spec.tier", 'Unsupported value: "": supported values: "gold", "silver"')]),
        ({"size": 1, "level": 3}, [("spec.level", 'Unsupported value: 3: supported values: "1", "2"')]),
        ({"size": 1, "code": "A1"}, [("spec.code", "Invalid value: \"A1\": should match '^[a-z]+$'")]),
        ({"size": 1, "code": "a"}, [("spec.code", "Invalid value: 1: should have at least 2 bytes")]),
        ({"size": 1, "parts": []}, [("spec.parts", "Invalid value: 0: should have at least 1 items")]),
        ({"size": 1, "parts": [{"name": ""}]}, []),
        ({"size": 1, "parts": [{}]}, [("spec.parts[0].name", "Required value")]),
        (
            {"size": 1, "labels": dict.fromkeys("abc", "")},
            [("spec.labels", "Too many: 3: must have at most 2 items")],
        ),
    ],
)
def test_rules(spec: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert findings(spec) == problems


def test_a_ratio_that_is_excluded() -> None:
    [(field, _)] = findings({"size": 1, "ratio": 0})
    assert field == "spec.ratio"


def test_lists_and_descriptions() -> None:
    spec = SCHEMA.tree.fields["spec"].node
    assert isinstance(spec, Struct)
    parts = spec.fields["parts"].node
    assert isinstance(parts, Items) and (parts.kind, parts.keys) == ("map", ("name",))
    assert SCHEMA.tree.description == "A widget."


def test_the_default_of_an_object_gets_the_defaults_of_its_fields() -> None:
    inner = {"type": "object", "default": {}, "properties": {"replicas": {"type": "integer", "default": 1}}}
    schema = Data("W", struct_of_schema("W", {"type": "object", "properties": {"spec": inner}}))
    assert schema.default(schema.read({}, [])).content == {"spec": {"replicas": 1}}
    assert schema.default(schema.read({"spec": {"replicas": 2}}, [])).content == {"spec": {"replicas": 2}}


def test_null_fills_a_required_field_that_may_be_null() -> None:
    spec = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "nullable": True}}}
    schema = Data("W", struct_of_schema("W", {"type": "object", "properties": {"spec": spec}}))
    for value, count in (({"a": None}, 0), ({"a": "x"}, 0), ({}, 1)):
        result = Findings()
        schema.check(schema.read({"spec": value}, []), result)
        assert len(result.causes) == count, value


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "string"}, "openAPIV3Schema.type: must be object"),
        ({"type": "object", "properties": {"a": {}}}, r"openAPIV3Schema.properties\[a\].type: must be"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, r"properties\[a\].items: must be set"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
            r"\[a\].pattern: must be a regular",
        ),
        ({"type": "object", "properties": {"a": []}}, r"properties\[a\]: must be an object"),
    ],
)
def test_schemas_that_are_not_structural(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSchema, match=message):
        struct_of_schema("W", schema)
