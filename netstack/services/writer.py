"""Keeps a ruleset in the kernel: applies differences, audits, removes.

It remembers the state of the kernel's tables between two calls, and reads it again when the kernel refuses a change.
"""

from __future__ import annotations

from typing import Protocol

from netstack.desired import Repair
from netstack.errors import RulesRefused
from netstack.services import table
from netstack.services.table import Difference, Observed, Ruleset, Table

_MAX_NAMES: int = 4


class RuleTool(Protocol):
    """iptables-save and iptables-restore --noflush."""

    def save(self) -> str: ...

    def restore(self, text: str) -> None: ...


class RuleWriter:
    """Writes rulesets through one tool. The names of their chains start with `prefix` (including its dash)."""

    def __init__(self, tool: RuleTool, prefix: str) -> None:
        self._tool = tool
        self._prefix = prefix
        self._known: Observed | None = None

    def apply(self, desired: Ruleset) -> None:
        """Write the differences from the last written ruleset; the first time, from what the kernel has."""
        if self._known is not None:
            try:
                self._write(desired, self._known)
            except RulesRefused:
                self._known = None  # someone else changed our chains meanwhile
            else:
                return
        self._write(desired, self._read())

    def audit(self, desired: Ruleset) -> tuple[Repair, ...]:
        """Compare with what the kernel really has, repair the differences and return the repairs."""
        changes = self._write(desired, self._read())
        return tuple(Repair("rules", f"{name}: {_describe(change)}") for name, change in changes.items())

    def remove(self) -> None:
        """Remove all our chains and the jumps to them."""
        observed = self._read()
        self._write({name: Table({}, {}) for name in observed}, observed)
        self._known = None

    def _read(self) -> Observed:
        return table.parse(self._tool.save(), self._prefix)

    def _write(self, desired: Ruleset, observed: Observed) -> dict[str, Difference]:
        empty = table.ObservedTable()
        every = {name: table.difference(rules, observed.get(name, empty)) for name, rules in desired.items()}
        changes = {name: change for name, change in every.items() if change}
        if changes:
            self._tool.restore(table.restore_text(changes))
        self._known = table.as_observed(desired)
        return changes


def _describe(change: Difference) -> str:
    parts = []
    for verb, what in (("rewrote", change.written), ("removed", change.removed), ("set the jump in", change.hooked)):
        if what:
            more = f" and {len(what) - _MAX_NAMES} more" if len(what) > _MAX_NAMES else ""
            parts.append(f"{verb} {', '.join(what[:_MAX_NAMES])}{more}")
    return "; ".join(parts)
