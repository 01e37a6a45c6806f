"""Reads a stored object that its model refuses, because the model became stricter after the object was stored.

Keeps every value that has the right JSON type, also one outside the model's limits, so that writing the object back
loses nothing. A value of another JSON type is left out.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def salvage(model: type[S], raw: bytes) -> S:
    """The object as far as it can be read. Raises ValueError when it is not a JSON object or lacks a required field."""
    salvaged: S = _struct(model, msgspec.json.decode(raw, type=dict[str, Any]))
    return salvaged


def _struct(model: Any, value: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(model):
        if field.encode_name not in value:
            continue
        try:
            values[field.name] = _fit(field.type, value[field.encode_name])
        except ValueError:
            if field.required:
                raise
    try:
        return model(**values)
    except TypeError as error:
        raise ValueError(f"{model.__name__}: {error}") from error


def _fit(type_: Any, value: Any) -> Any:
    """The value as this type, or the parts of it that fit. Raises ValueError when nothing fits."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        refused = error
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _fit(arguments[0], value)
    if origin in (Union, types.UnionType):
        return _first_that_fits(arguments, value)
    if origin in (list, tuple) and isinstance(value, list):
        return origin(_all_that_fit(arguments[0], value))
    if origin is dict and isinstance(value, dict):
        fitting = {key: _all_that_fit(arguments[1], [each]) for key, each in value.items()}
        return {key: each[0] for key, each in fitting.items() if each}
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and isinstance(value, dict):
        return _struct(type_, value)
    raise refused


def _first_that_fits(alternatives: tuple[Any, ...], value: Any) -> Any:
    for alternative in alternatives:
        try:
            return _fit(alternative, value)
        except ValueError:
            continue
    raise ValueError("no alternative fits")


def _all_that_fit(type_: Any, values: list[Any]) -> list[Any]:
    fitting = []
    for value in values:
        try:
            fitting.append(_fit(type_, value))
        except ValueError:
            continue
    return fitting
