"""Checks whether the schema of a custom resource is structural: each field has one type that is known in advance.

The rules are those of Kubernetes. Expressions in CEL (`x-kubernetes-validations`) are not compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from master.schema.checks import Findings

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED: Final = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_KEEPS: Final = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_EITHER: Final = "x-kubernetes-int-or-string"
_LIST: Final = "x-kubernetes-list-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_MAP: Final = "x-kubernetes-map-type"
# What the schemas in allOf, anyOf, oneOf and not may not contain.
_NOT_NESTED: Final = (
    *("type", "additionalProperties", "default", "title", "description", "nullable"),
    *(_KEEPS, _EMBEDDED, _EITHER, _KEYS, _LIST, _MAP, "x-kubernetes-validations"),
)

Schema = Mapping[str, Any]


def check_schema(schema: Schema, at: str, findings: Findings) -> None:
    """Checks the schema of whole objects."""
    if schema.get("type") and schema["type"] != "object":
        findings.invalid(f"{at}.type", schema["type"], "must be object at the root")
    if "additionalProperties" in schema:
        findings.forbidden(f"{at}.additionalProperties", "must not be used at the root")
    properties = schema.get("properties", {})
    for name, type_ in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        own = properties.get(name, {}).get("type", type_)
        if own != type_:
            findings.invalid(f"{at}.properties[{name}].type", own, f"must be {type_}")
    _check(schema, at, findings, "at the root")


def _check(schema: Schema, at: str, findings: Findings, place: str) -> None:
    _check_type(schema, at, findings, place)
    _check_fields(schema, at, findings)
    _check_list(schema, at, findings)
    if _MAP in schema:
        findings.one_of(f"{at}.{_MAP}", schema[_MAP], ("atomic", "granular"))
        if schema.get("type") != "object":
            _check_outer(schema, at, "object", f"if {_MAP} is specified", findings)
    for name in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(name, ())):
            _check_nested(inner, f"{at}.{name}[{index}]", findings)
    if "not" in schema:
        _check_nested(schema["not"], f"{at}.not", findings)
    for name, inner in schema.get("properties", {}).items():
        _check(inner, f"{at}.properties[{name}]", findings, "for specified object fields")
    for name, place in (
        ("items", "for specified array items"),
        ("additionalProperties", "for specified object fields"),
    ):
        if isinstance(schema.get(name), Mapping):
            _check(schema[name], f"{at}.{name}", findings, place)


def _check_type(schema: Schema, at: str, findings: Findings, place: str) -> None:
    type_ = schema.get("type", "")
    if type_ == "null":
        findings.forbidden(f"{at}.type", "type cannot be set to null, use nullable as an alternative")
    elif type_:
        findings.one_of(f"{at}.type", type_, _TYPES)
    elif (not schema.get(_EITHER) and not schema.get(_KEEPS)) or (not type_ and place == "at the root"):
        findings.required(f"{at}.type", f"must not be empty {place}")
    if type_ == "array" and "items" not in schema:
        findings.required(f"{at}.items", "must be specified")
    if schema.get(_EMBEDDED):
        _check_outer(schema, at, "object", f"if {_EMBEDDED} is true", findings)
        if not schema.get(_KEEPS) and not schema.get("properties"):
            why = f"must not be empty if {_EMBEDDED} is true without {_KEEPS}"
            findings.required(f"{at}.properties", why)


def _check_outer(schema: Schema, at: str, type_: str, when: str, findings: Findings) -> None:
    if not schema.get("type"):
        findings.required(f"{at}.type", f"must be {type_} {when}")
    elif schema["type"] != type_:
        findings.invalid(f"{at}.type", schema["type"], f"must be {type_} {when}")


def _check_fields(schema: Schema, at: str, findings: Findings) -> None:
    for name in _UNSUPPORTED:
        if schema.get(name):
            findings.forbidden(f"{at}.{name}", f"{name} is not supported")
    if isinstance(schema.get("items"), list):
        findings.forbidden(f"{at}.items", "items must be a schema object and not an array")
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        findings.forbidden(f"{at}.uniqueItems", why)
    # false is the same as no additional properties.
    if schema.get("properties") and schema.get("additionalProperties"):
        findings.forbidden(f"{at}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if schema.get(_KEEPS) is False:
        findings.invalid(f"{at}.{_KEEPS}", False, "must be true or undefined")
    if schema.get(_EITHER):
        for name in (_KEEPS, _EMBEDDED):
            if schema.get(name):
                findings.invalid(f"{at}.{name}", True, f"must be false if {_EITHER} is true")
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            findings.invalid(f"{at}.pattern", schema["pattern"], why)


def _check_list(schema: Schema, at: str, findings: Findings) -> None:
    kind, keys = schema.get(_LIST), schema.get(_KEYS) or []
    if kind is not None:
        findings.one_of(f"{at}.{_LIST}", kind, ("atomic", "set", "map"))
        _check_outer(schema, at, "array", f"if {_LIST} is specified", findings)
    if keys and kind is None:
        findings.required(f"{at}.{_LIST}", f"must be map if {_KEYS} is non-empty")
    elif keys and kind != "map":
        findings.invalid(f"{at}.{_LIST}", kind, f"must be map if {_KEYS} is non-empty")
    if kind != "map":
        return
    if not keys:
        findings.required(f"{at}.{_KEYS}", f"must not be empty if {_LIST} is map")
    items = schema.get("items")
    if not isinstance(items, Mapping):
        findings.required(f"{at}.items", f"must have a schema if {_LIST} is map")
        return
    if items.get("type", "object") != "object":
        why = f"must be object if parent array's {_LIST} is map"
        findings.invalid(f"{at}.items.type", items["type"], why)
    if any(key not in items.get("properties", {}) for key in keys):
        findings.invalid(f"{at}.{_KEYS}", keys, "entries must all be names of item properties")
    if len(set(keys)) < len(keys):
        findings.invalid(f"{at}.{_KEYS}", keys, "must not contain duplicate entries")


def _check_nested(schema: Schema, at: str, findings: Findings) -> None:
    """Checks a schema below allOf, anyOf, oneOf or not: it may restrict values, but not set types."""
    # The types of integers or strings are written like this.
    is_either = set(schema) == {"type"} and schema["type"] in ("integer", "string")
    for name in () if is_either else _NOT_NESTED:
        if schema.get(name):
            findings.forbidden(f"{at}.{name}", "must be empty to be structural")
    for name, inner in schema.get("properties", {}).items():
        _check_nested(inner, f"{at}.properties[{name}]", findings)
    if isinstance(schema.get("items"), Mapping):
        _check_nested(schema["items"], f"{at}.items", findings)
    for name in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(name, ())):
            _check_nested(inner, f"{at}.{name}[{index}]", findings)
