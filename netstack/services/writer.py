"""Keeps a ruleset in the kernel: applies the difference, audits, removes.

Owns what it knows of the kernel's tables between two calls; a stale picture is read anew when the kernel refuses.
"""

from __future__ import annotations

from typing import Protocol

from netstack.desired import Repair
from netstack.errors import RulesRefused
from netstack.services import table
from netstack.services.table import Difference, Observed, Ruleset, Table

_NAMED: int = 4


class RuleTool(Protocol):
    """iptables-save and iptables-restore --noflush."""

    def save(self) -> str: ...

    def restore(self, text: str) -> None: ...


class RuleWriter:
    """Writes rulesets whose chains begin with `prefix` (with its dash) through one tool."""

    def __init__(self, tool: RuleTool, prefix: str) -> None:
        self._tool = tool
        self._prefix = prefix
        self._known: Observed | None = None

    def apply(self, desired: Ruleset) -> None:
        """Write what differs from what was written last; from what the kernel has, the first time."""
        if self._known is not None:
            try:
                self._write(desired, self._known)
            except RulesRefused:
                self._known = None  # somebody changed our chains meanwhile
            else:
                return
        self._write(desired, self._read())

    def audit(self, desired: Ruleset) -> tuple[Repair, ...]:
        """Compare with what the kernel really has, mend, and tell."""
        changes = self._write(desired, self._read())
        return tuple(Repair("rules", f"{name}: {_describe(change)}") for name, change in changes.items())

    def remove(self) -> None:
        """Take away all our chains and the jumps to them."""
        found = self._read()
        self._write({name: Table({}, {}) for name in found}, found)
        self._known = None

    def _read(self) -> Observed:
        return table.parse(self._tool.save(), self._prefix)

    def _write(self, desired: Ruleset, found: Observed) -> dict[str, Difference]:
        every = {name: table.difference(wanted, found.get(name, table.Found())) for name, wanted in desired.items()}
        changes = {name: change for name, change in every.items() if change}
        if changes:
            self._tool.restore(table.restore_text(changes))
        self._known = table.as_found(desired)
        return changes


def _describe(change: Difference) -> str:
    parts = []
    for verb, what in (("rewrote", change.written), ("removed", change.removed), ("set the jump in", change.hooked)):
        if what:
            more = f" and {len(what) - _NAMED} more" if len(what) > _NAMED else ""
            parts.append(f"{verb} {', '.join(what[:_NAMED])}{more}")
    return "; ".join(parts)
