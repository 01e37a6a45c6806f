"""Rules, status and table cells of resources whose objects are `Untyped`: passive kinds and custom resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from master.registry.strategy import Keyspace, Strategy
from master.registry.subresource import Part
from master.registry.table import Cell, Column, Table, age
from master.schema import checks
from master.schema.checks import Findings, dns_subdomain
from master.schema.schema import Data, Untyped
from master.schema.tree import Struct


@dataclass(frozen=True, slots=True)
class UntypedStrategy(Strategy[Untyped]):
    """Rules that a declaration can say. The schema has those of single values.

    `names`: the form of the names. `reserved`: names may not begin with one of these. `has_status`: only the
    subresource may write the status. `moves`: whether a change increments the generation, if the kind has one.
    """

    schema: Data
    names: Callable[[str], str] = dns_subdomain
    reserved: tuple[str, ...] = ()
    has_status: bool = False
    moves: bool = True

    def name_form(self, name: str) -> str:
        prefix = next((prefix for prefix in self.reserved if name.startswith(prefix)), "")
        return f"names that begin with '{prefix}' are reserved for the system" if prefix else self.names(name)

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        return _with_status(obj, None) if self.has_status else obj

    def for_update(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        return _with_status(new, old.status) if self.has_status else new

    def check(self, obj: Untyped, old: Untyped | None, findings: Findings, keyspace: Keyspace) -> None:
        """The schema has checked all single values."""

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        _check_immutable(self.schema.tree, new.content, old.content, "", findings)

    def moves_generation(self, new: Untyped, old: Untyped) -> bool:
        return self.moves and _with_status(new, None).content != _with_status(old, None).content


def _check_immutable(struct: Struct, new: Any, old: Any, at: str, findings: Findings) -> None:
    """Adds a finding for each immutable field that has changed. Items of lists and maps have none of their own."""
    for name, field in struct.fields.items():
        before, after = old.get(name), new.get(name)
        path = f"{at}.{name}" if at else name
        if before == after:
            continue
        if field.immutable:
            findings.invalid(path, after, "field is immutable")
        elif isinstance(field.node, Struct) and isinstance(before, dict) and isinstance(after, dict):
            _check_immutable(field.node, after, before, path, findings)


def _with_status(obj: Untyped, status: Any) -> Untyped:
    content = {name: value for name, value in obj.content.items() if name != "status"}
    return replace(obj, content=content if status is None else {**content, "status": status})


STATUS = Part("status", take=lambda new, old: _with_status(old, new.status), attribute="status")
"""The subresource `status` of an untyped resource."""


def value_at(obj: Untyped, path: Sequence[str]) -> Any:
    """The value of a field, by its JSON names; None if it is not set."""
    if path[0] == "metadata":
        # The attributes of the metadata have other names than its fields.
        value = msgspec.to_builtins(replace(obj.metadata, managed_fields=()))
        path = path[1:]
    else:
        value = obj.content
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def name_form(name: str) -> Callable[[str], str]:
    """The check of a form of names in master/schema/checks.py, such as `dns_label`. Raises AttributeError."""
    check: Callable[[str], str] = getattr(checks, name)
    return check


@dataclass(frozen=True, slots=True)
class PathColumn:
    """A column with the value of a field. `missing`: the cell of an object where the field is not set.

    `is_age`: the field is a time, and the cell shows how long ago it was.
    """

    column: Column
    path: tuple[str, ...]
    missing: Cell = None
    is_age: bool = False

    def cell(self, obj: Untyped, now: datetime) -> Cell:
        """Lists and objects are shown as text."""
        value = value_at(obj, self.path)
        if self.is_age:
            return age(value, now)
        if value is None:
            return self.missing
        return value if isinstance(value, str | int | bool) else str(value)


def table(columns: Sequence[PathColumn]) -> Table:
    """A table whose cells are values of fields."""
    return Table(
        tuple(column.column for column in columns), lambda obj, now: [column.cell(obj, now) for column in columns]
    )
