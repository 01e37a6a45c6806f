"""The cells of passive kinds: values of fields, as their declarations say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from master.registry.declaration import ColumnDeclaration
from master.registry.table import AGE, NAME, Cell, Column, age, duration, pairs
from master.schema.data import Untyped

_IN_BRACES: Final = re.compile(r"\{([^}]+)\}")
_STEP: Final = re.compile(r"(?P<name>[^.\[\]]+)|\[(?:(?P<key>[^=\]]+)=(?P<value>[^\]]*))?\]")
CellOf = Callable[[Untyped, datetime], Cell]
# The values at a path: none, one, or more if there are lists on the way.
Values = Callable[[Untyped], list[Any]]


@dataclass(frozen=True, slots=True)
class CellColumn:
    """A column, and the function that makes its cells."""

    column: Column
    cell: CellOf


def column(declared: ColumnDeclaration, cells: Mapping[str, CellOf]) -> CellColumn:
    """A declared column. `cells`: functions for columns that a declaration cannot say, by the column's name."""
    definition = Column(
        declared.name, declared.type, declared.format, priority=declared.priority, description=declared.description
    )
    if declared == ColumnDeclaration(NAME.name):
        return CellColumn(NAME, cells.get(NAME.name, lambda obj, now: obj.metadata.name))
    if declared == ColumnDeclaration(AGE.name):
        return CellColumn(AGE, lambda obj, now: age(obj.metadata.creation_timestamp, now))
    if declared.name in cells:
        return CellColumn(definition, cells[declared.name])
    if not declared.path and not declared.text:
        raise ValueError(f"the column {declared.name} has neither a path nor code")
    return CellColumn(definition, _text(declared) if declared.text else _value(declared))


def values_of(path: str) -> Values:
    """The function that reads the values at a path. `[]` means all items of a list, `[key=value]` some of them."""
    steps = [(match["name"], match["key"], match["value"]) for match in _STEP.finditer(path)]
    in_metadata = steps[0][0] == "metadata"

    def values(obj: Untyped) -> list[Any]:
        # The attributes of the metadata have other names than its fields.
        found: list[Any] = [{"metadata": _metadata(obj)} if in_metadata else obj.content]
        for name, key, value in steps:
            if name is not None:
                found = [inner for item in found if isinstance(item, dict) and (inner := item.get(name)) is not None]
            else:
                items = [item for each in found if isinstance(each, list) for item in each]
                found = items if key is None else [item for item in items if item.get(key) == value]
        return found

    return values


def _metadata(obj: Untyped) -> Any:
    return msgspec.to_builtins(replace(obj.metadata, managed_fields=()))


def _value(declared: ColumnDeclaration) -> CellOf:
    values = values_of(declared.path)
    show = _SHOWN[declared.show]

    def cell(obj: Untyped, now: datetime) -> Cell:
        return show(declared, values(obj), now)

    return cell


def _plain(declared: ColumnDeclaration, values: list[Any], now: datetime) -> Cell:
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    shown = [declared.values.get(value, value) if isinstance(value, str) else value for value in values]
    if not shown:
        return declared.missing
    if len(shown) == 1 and isinstance(shown[0], str | int | bool):
        return shown[0]
    return declared.join.join(str(value) for value in shown)


def _count(declared: ColumnDeclaration, values: list[Any], now: datetime) -> Cell:
    return sum(len(value) if isinstance(value, list | dict) else 1 for value in values)


def _age(declared: ColumnDeclaration, values: list[Any], now: datetime) -> Cell:
    return age(values[0], now) if values else declared.missing


def _duration(declared: ColumnDeclaration, values: list[Any], now: datetime) -> Cell:
    return duration(values[0]) if values else declared.missing


def _selector(declared: ColumnDeclaration, values: list[Any], now: datetime) -> Cell:
    return selector_text(values[0] if values else {})


_SHOWN: Final[Mapping[str, Callable[[ColumnDeclaration, list[Any], datetime], Cell]]] = {
    "value": _plain,
    "count": _count,
    "age": _age,
    "duration": _duration,
    "selector": _selector,
}


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector (its JSON) as text: `a=b,c in (d,e),!f`, or `<none>`."""
    parts = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    for part in selector.get("matchExpressions", ()):
        key, values = part.get("key", ""), ",".join(sorted(part.get("values", ())))
        match part.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case _:
                parts.append(f"!{key}")
    # Go sorts the requirements by their keys.
    return ",".join(sorted(parts, key=lambda part: re.split(r"[= ]", part.lstrip("!"))[0])) or pairs({})


def _text(declared: ColumnDeclaration) -> CellOf:
    """A text with the values of fields. It is missing if none of them is set."""
    readers = {path: values_of(path) for path in _IN_BRACES.findall(declared.text)}

    def cell(obj: Untyped, now: datetime) -> Cell:
        values = {path: read(obj) for path, read in readers.items()}
        if not any(values.values()):
            return declared.missing
        return _IN_BRACES.sub(lambda match: declared.join.join(map(str, values[match[1]])), declared.text)

    return cell
