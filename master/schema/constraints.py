"""Checks the fields of an object against the rules of their annotations: ranges, choices, quantities.

The rules themselves are in the models' annotations (master/objects/scalars.py). Rules about several fields are in the
strategies. Types, including times, are checked when the body is decoded.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from master.schema.checks import Findings

# Arguments: the value, its path, and where to report.
_Check = Callable[[Any, str, Findings], None]


def check(obj: msgspec.Struct, findings: Findings, at: str = "") -> None:
    """Adds a finding for each field with a value that its annotation does not allow."""
    for attribute, name, check_value in _plan(type(obj)):
        value = getattr(obj, attribute)
        if value is not None:
            check_value(value, f"{at}.{name}" if at else name, findings)


@cache
def _plan(model: type[msgspec.Struct]) -> tuple[tuple[str, str, _Check], ...]:
    """Attribute, JSON name and check of the fields that have a rule, themselves or in a nested model."""
    checks = ((field.name, field.encode_name, _check_of(field.type)) for field in msgspec.structs.fields(model))
    return tuple((attribute, name, check) for attribute, name, check in checks if check is not None)


def _check_of(annotation: Any) -> _Check | None:
    origin = get_origin(annotation)
    if origin is Annotated:
        extras = [meta.extra for meta in annotation.__metadata__ if isinstance(meta, msgspec.Meta) and meta.extra]
        return _rule(extras[0]) if extras else None
    if origin in (Union, types.UnionType):
        return _union([arg for arg in get_args(annotation) if arg is not type(None)])
    if origin is tuple:
        return _items(_check_of(get_args(annotation)[0]))
    if origin is dict:
        return _values(_check_of(get_args(annotation)[1]))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct) and _plan(annotation):
        return lambda value, at, findings: check(value, findings, at)
    return None


def _union(alternatives: list[Any]) -> _Check | None:
    if len(alternatives) == 1:
        return _check_of(alternatives[0])
    by_type = {
        get_args(alternative)[0] if get_origin(alternative) is Annotated else alternative: _check_of(alternative)
        for alternative in alternatives
    }
    if not any(by_type.values()):
        return None

    def check_by_type(value: Any, at: str, findings: Findings) -> None:
        check_value = by_type.get(type(value))
        if check_value is not None:
            check_value(value, at, findings)

    return check_by_type


def _items(item: _Check | None) -> _Check | None:
    if item is None:
        return None

    def check_items(values: Iterable[Any], at: str, findings: Findings) -> None:
        for index, value in enumerate(values):
            item(value, f"{at}[{index}]", findings)

    return check_items


def _values(item: _Check | None) -> _Check | None:
    if item is None:
        return None

    def check_values(values: dict[str, Any], at: str, findings: Findings) -> None:
        for key, value in values.items():
            item(value, f"{at}.{key}", findings)

    return check_values


def _rule(extra: dict[str, Any]) -> _Check | None:
    if "within" in extra:
        least, most = extra["within"]
        return lambda value, at, findings: findings.within(at, value, range(least, most + 1))
    if "choice" in extra:
        return lambda value, at, findings: findings.one_of(at, value, extra["choice"])
    if "required" in extra:
        return lambda value, at, findings: None if value else findings.required(at)
    if "quantity" in extra:
        return lambda value, at, findings: findings.quantity(at, value)
    if "port_name" in extra:
        return lambda value, at, findings: findings.port_or_name(at, value)
    return None
