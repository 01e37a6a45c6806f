"""The columns of tables, and texts that many cells share, such as ages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from master.objects.meta import parse_time

Cell = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column. With `priority` 1 it is shown by `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> dict[str, Any]:
        """The column definition in a Table object."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a kind, and the function that makes an object's cells at a given time."""

    columns: tuple[Column, ...]
    cells: Callable[[Any, datetime], Sequence[Cell]]


NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", description="Time since the object was created.")


def age(text: str | None, now: datetime) -> str:
    """The time since then, for people. `text` is RFC 3339; if it is empty or invalid, the age is `<unknown>`."""
    if not text:
        return "<unknown>"
    try:
        return duration((now - parse_time(text)).total_seconds())
    except ValueError:
        return "<unknown>"


def duration(seconds: float) -> str:
    """A duration in kubectl's form, more precise when it is short: `119s`, `2m10s` (130 s), `9h`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def pairs(values: Mapping[str, str]) -> str:
    """A selector as text: `a=1,b=2`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted(values.items())) or "<none>"


def _plain(obj: Any, now: datetime) -> Sequence[Cell]:
    return obj.metadata.name, age(obj.metadata.creation_timestamp, now)


PLAIN = Table((NAME, AGE), _plain)
"""The table of a kind without one of its own."""
