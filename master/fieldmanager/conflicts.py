"""Conflicts of an apply: fields that it would change, and that other managers own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from master.fieldmanager.fieldset import FieldSet, Path, shown
from master.fieldmanager.managers import UPDATE, Manager


@dataclass(frozen=True, slots=True)
class Clash:
    """One field that another manager owns. `owner` is its description, as messages have it."""

    manager: Manager
    owner: str
    path: Path

    @property
    def field(self) -> str:
        return shown(self.path)


class Conflicts(Exception):
    """An apply without force that would take fields from other managers. `clashes` is not empty."""

    def __init__(self, clashes: list[Clash]) -> None:
        super().__init__(_message(clashes))
        self.clashes = clashes

    @classmethod
    def of(cls, conflicts: Mapping[Manager, FieldSet]) -> Conflicts:
        """The conflicts with managers, sorted by manager and field."""
        return cls(
            [
                Clash(manager, describe(manager), path)
                for manager in sorted(conflicts, key=describe)
                for path in conflicts[manager].paths()
            ]
        )


def describe(manager: Manager) -> str:
    """The manager as messages name it: `"kubectl-edit" using apps/v1`. As in Kubernetes, without a time."""
    text = _quoted(manager.name)
    if manager.subresource:
        text += f" with subresource {_quoted(manager.subresource)}"
    if manager.operation == UPDATE:
        text += f" using {manager.api_version}"
    return text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _message(clashes: list[Clash]) -> str:
    if len(clashes) == 1:
        return f"Apply failed with 1 conflict: conflict with {clashes[0].owner}: {clashes[0].field}"
    lines: list[str] = []
    owner = ""
    for clash in clashes:
        if clash.owner != owner:
            owner = clash.owner
            lines.append(f"conflicts with {owner}:")
        lines.append(f"- {clash.field}")
    return f"Apply failed with {len(clashes)} conflicts: " + "\n".join(lines)
