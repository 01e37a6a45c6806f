"""Settings of a process: one TOML file, read once into a frozen dataclass, and written by other processes of ours.

Owns reading, the types that TOML lacks (paths, tuples, choices), and writing. The names, defaults and ranges belong to
the dataclass: a field without a default is required, and the string below a field describes it to people.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from hull.errors import SettingsError

T = TypeVar("T")
Value = str | int | float | bool | Sequence[str] | Mapping[str, str]


def load(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """Read the file and parse its values; `parse` raises ValueError. Raises SettingsError that names the file."""
    try:
        return parse(tomllib.loads(path.read_text()))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of TOML, of UTF-8, or of a setting
        raise SettingsError(f"{path}: {error}") from error


def parsed(kind: type[T], values: Mapping[str, object]) -> T:
    """The dataclass `kind` of a document's values. Raises ValueError that names the setting."""
    types = get_type_hints(kind)
    if unknown := sorted(values.keys() - types.keys()):
        raise ValueError(f"{unknown[0]}: no such setting")
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass, which no type says
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{field.name}: required")
    return kind(**{name: _typed(name, value, types[name]) for name, value in values.items()})


def to_toml(values: Mapping[str, Value]) -> str:
    """A TOML document with a line for each setting; values are scalars, lists of strings or flat tables of strings."""
    return "".join(f"{name} = {to_value(value)}\n" for name, value in values.items())


def to_value(value: Value) -> str:
    """One value as TOML has it: a JSON string, number, boolean or array of strings is TOML too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(text)}" for key, text in value.items()) + "}"
    return json.dumps(value if isinstance(value, str | int | float | bool) else list(value))


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings dataclass, for a page that people read."""

    name: str
    type_name: str
    """As TOML calls it: string, integer, number, boolean, list of strings, table of strings."""
    default: Value | None
    """None: required."""
    text: str
    """The string below the field; empty when there is none."""


def described(kind: type[Any]) -> list[Setting]:
    """The settings of a dataclass, in their order, with the strings below the fields in its source."""
    texts = _field_texts(kind)
    types = get_type_hints(kind)
    return [
        Setting(field.name, _toml_name(types[field.name]), _default(field), texts.get(field.name, ""))
        for field in fields(kind)
    ]


def _typed(name: str, value: object, kind: Any) -> Any:
    """The value as the field's type: TOML has no paths and no tuples, and its integers may stand for floats."""
    match _shape(kind), value:
        case "path", str() if "\0" not in value:
            return Path(value)
        case "choice", str() if value not in get_args(kind):
            raise ValueError(f"{name}: {value!r} is not one of {', '.join(get_args(kind))}")
        case (("choice" | "string"), str()):
            return value
        case "list of strings", list() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case "table of strings", dict() if all(isinstance(item, str) for item in value.values()):
            return dict(value)
        case "boolean", bool():
            return value
        case "number", int() | float() if not isinstance(value, bool):
            return float(str(value))  # an integer beyond a float's range becomes infinite, and is out of every range
        case "integer", int() if not isinstance(value, bool):
            return value
    raise ValueError(f"{name}: {value!r} is not {_a(_toml_name(kind))}")


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _shape(kind: Any) -> str:
    """What a field's type is in TOML: `path` is a string there, `choice` one of some strings."""
    if kind is Path or Path in get_args(kind):
        return "path"
    if get_origin(kind) is not None:
        return {Literal: "choice", tuple: "list of strings"}.get(get_origin(kind), "table of strings")
    return {str: "string", int: "integer", float: "number", bool: "boolean"}[kind]


def _toml_name(kind: Any) -> str:
    match _shape(kind):
        case "choice":
            return " or ".join(json.dumps(choice) for choice in get_args(kind))
        case "path":
            return "string"
        case shape:
            return shape


def _default(field: Any) -> Value | None:
    if field.default_factory is not MISSING:
        return field.default_factory()  # type: ignore[no-any-return]
    if field.default is MISSING:
        return None
    if field.default is None or isinstance(field.default, Path):
        return str(field.default or "")
    return field.default  # type: ignore[no-any-return]


def _field_texts(kind: type[Any]) -> dict[str, str]:
    """Field name → the string that stands right below it in the class's source, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for statement, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[statement.target.id] = " ".join(str(below.value.value).split())
    return texts
