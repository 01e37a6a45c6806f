"""What the models say of their fields' values beyond the type, checked on a whole object: ranges, choices, quantities.

Owns no rule: each stands beside its field (master/objects/scalars.py). What depends on more than one field is the
strategies'. Types themselves, times among them, are checked where the body is decoded.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from master.api.checks import Findings

# Value, its path, where to tell.
_Check = Callable[[Any, str, Findings], None]


def check(obj: msgspec.Struct, found: Findings, at: str = "") -> None:
    """Adds a finding for each field whose value its model does not allow."""
    for attribute, name, inner in _plan(type(obj)):
        value = getattr(obj, attribute)
        if value is not None:
            inner(value, f"{at}.{name}" if at else name, found)


@cache
def _plan(model: type[msgspec.Struct]) -> tuple[tuple[str, str, _Check], ...]:
    """The fields that have something to check, themselves or further inside."""
    found = ((field.name, field.encode_name, _check_of(field.type)) for field in msgspec.structs.fields(model))
    return tuple((attribute, name, inner) for attribute, name, inner in found if inner is not None)


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
        return lambda value, at, found: check(value, found, at)
    return None


def _union(alternatives: list[Any]) -> _Check | None:
    if len(alternatives) == 1:
        return _check_of(alternatives[0])
    by_type = {get_args(each)[0] if get_origin(each) is Annotated else each: _check_of(each) for each in alternatives}
    if not any(by_type.values()):
        return None

    def of_its_type(value: Any, at: str, found: Findings) -> None:
        inner = by_type.get(type(value))
        if inner is not None:
            inner(value, at, found)

    return of_its_type


def _items(item: _Check | None) -> _Check | None:
    if item is None:
        return None

    def each(values: Iterable[Any], at: str, found: Findings) -> None:
        for index, value in enumerate(values):
            item(value, f"{at}[{index}]", found)

    return each


def _values(item: _Check | None) -> _Check | None:
    if item is None:
        return None

    def each(values: dict[str, Any], at: str, found: Findings) -> None:
        for key, value in values.items():
            item(value, f"{at}.{key}", found)

    return each


def _rule(extra: dict[str, Any]) -> _Check | None:
    if "within" in extra:
        least, most = extra["within"]
        return lambda value, at, found: found.within(at, value, range(least, most + 1))
    if "choice" in extra:
        return lambda value, at, found: found.one_of(at, value, extra["choice"])
    if "required" in extra:
        return lambda value, at, found: None if value else found.required(at)
    if "quantity" in extra:
        return lambda value, at, found: found.quantity(at, value)
    if "port_name" in extra:
        return lambda value, at, found: found.port_or_name(at, value)
    return None
