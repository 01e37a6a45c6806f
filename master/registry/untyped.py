"""Rules and tables of resources whose objects are `Untyped`: passive kinds and custom resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from master.registry.declaredcolumns import CellColumn
from master.registry.strategy import Keyspace, Strategy
from master.registry.subresource import METADATA, Part
from master.registry.table import Table
from master.schema.checks import Findings
from master.schema.data import Data, Untyped
from master.schema.names import dns_subdomain
from master.schema.tree import Struct


@dataclass(frozen=True, slots=True)
class UntypedStrategy(Strategy[Untyped]):
    """Rules that a declaration can say. The schema has those of single values.

    `names`: the form of the names. `reserved`: names may not begin with one of these. `has_status`: only the
    subresource may write the status. `keeps_metadata`: a write of the status changes nothing in the metadata. `moves`:
    whether a change increments the generation, if the kind has one. `no_effect`: what the objects would do, if nothing
    does it yet. Kinds with further rules extend the class.
    """

    schema: Data
    names: Callable[[str], str] = dns_subdomain
    reserved: tuple[str, ...] = ()
    has_status: bool = False
    keeps_metadata: bool = False
    moves: bool = True
    no_effect: str = ""

    def name_form(self, name: str) -> str:
        prefix = next((prefix for prefix in self.reserved if name.startswith(prefix)), "")
        return f"names that begin with '{prefix}' are reserved for the system" if prefix else self.names(name)

    def for_create(self, obj: Untyped, now: datetime) -> Untyped:
        return with_status(obj, None) if self.has_status else obj

    def for_update(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        return with_status(new, old.status) if self.has_status else new

    def check(self, obj: Untyped, old: Untyped | None, findings: Findings, keyspace: Keyspace) -> None:
        """Checks the rules about several fields. The schema has checked all single values."""
        if self.no_effect:
            findings.warnings.append(f"{obj.kind} has no effect yet: {self.no_effect}")
        self.check_content(obj, findings)

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        """Adds a finding for each problem of the object. For rules about several fields; kinds override it."""

    def take_status(self, new: Untyped, old: Untyped) -> Untyped:
        """The old object with the new one's status in its stored form."""
        return with_status(old, self.schema.default(replace(new, content={"status": new.status or {}})).status)

    def stamp_status(self, new: Untyped, old: Untyped, now: datetime) -> Untyped:
        """The object with the times that a new status gets. Kinds override it."""
        return new

    def check_status(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        """Adds a finding for each problem of a new status. The schema has checked single values; kinds override it."""

    def check_update(self, new: Untyped, old: Untyped, findings: Findings) -> None:
        _check_immutable(self.schema.tree, new.content, old.content, "", findings)

    def moves_generation(self, new: Untyped, old: Untyped) -> bool:
        return self.moves and with_status(new, None).content != with_status(old, None).content


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


def with_status(obj: Untyped, status: Any) -> Untyped:
    """The object with another status; None: without one."""
    content = {name: value for name, value in obj.content.items() if name != "status"}
    return replace(obj, content=content if status is None else {**content, "status": status})


def status(strategy: UntypedStrategy) -> Part:
    """The subresource `status` of a resource with these rules."""
    return Part(
        "status",
        take=strategy.take_status,
        attribute="status",
        check=strategy.check_status,
        stamp=strategy.stamp_status,
        metadata=() if strategy.keeps_metadata else METADATA,
    )


def with_spec(obj: Untyped, spec: dict[str, Any]) -> Untyped:
    """The object with another desired state."""
    return replace(obj, content={**obj.content, "spec": spec})


def table(columns: Sequence[CellColumn]) -> Table:
    """A table of these columns."""
    return Table(
        tuple(column.column for column in columns), lambda obj, now: [column.cell(obj, now) for column in columns]
    )
