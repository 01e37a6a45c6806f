"""Columns of a table and the small texts in its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from master.objects.meta import parse_time

Cell = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `priority` 1 is shown by `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> dict[str, Any]:
        """As the client gets it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a kind and how an object fills them, at a time."""

    columns: tuple[Column, ...]
    cells: Callable[[Any, datetime], Sequence[Cell]]


NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", description="How long ago it was created.")


def age(text: str | None, now: datetime) -> str:
    """How long ago, as people read it."""
    if not text:
        return "<unknown>"
    try:
        return duration((now - parse_time(text)).total_seconds())
    except ValueError:
        return "<unknown>"


def duration(seconds: float) -> str:
    """As kubectl shows it: finer while it is short. 119 s is `119s`, 130 s `2m10s`, 9 h `9h`."""
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
    """A selector as text."""
    return ",".join(f"{key}={value}" for key, value in sorted(values.items())) or "<none>"
