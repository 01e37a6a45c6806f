"""Tables of rules as text: the desired rules, the output of iptables-save, and the input that iptables-restore needs.

Pure. Rules are compared as the ordered full text that iptables-save prints. The text that rules.py makes is in that
form already (comment match last, /32 written out, probabilities with eleven digits), for legacy and nft alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """Our desired rules in one table: whole chains, and one jump at the head of each named built-in chain."""

    chains: Mapping[str, tuple[str, ...]]
    hooks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObservedTable:
    """Our rules that one table has.

    `first` has the first rule of every chain that is not ours, `references` all rules outside our chains that jump into
    them, as saved.
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()


Ruleset = Mapping[str, Table]
Observed = Mapping[str, ObservedTable]


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes from observed to desired rules in one table, and the lines for iptables-restore."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    hooked: tuple[str, ...]
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lines)


def parse(saved: str, prefix: str) -> dict[str, ObservedTable]:
    """Read the output of iptables-save."""
    tables: dict[str, ObservedTable] = {}
    lines: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            lines = []
            name = line[1:]
        elif line == "COMMIT":
            tables[name] = _parse_table(lines, prefix)
        else:
            lines.append(line)
    return tables


def as_observed(ruleset: Ruleset) -> dict[str, ObservedTable]:
    """What the kernel has after the ruleset was written."""
    return {
        name: ObservedTable(
            chains=table.chains,
            first=table.hooks,
            references=tuple(f"-A {chain} {rule}" for chain, rule in table.hooks.items()),
        )
        for name, table in ruleset.items()
    }


def difference(desired: Table, observed: ObservedTable) -> Difference:
    """Lines for `iptables-restore --noflush`.

    In this order: create or empty chains, delete jumps, insert jumps, add rules, delete chains.
    """
    written = tuple(chain for chain, rules in desired.chains.items() if observed.chains.get(chain) != rules)
    removed = tuple(chain for chain in observed.chains if chain not in desired.chains)
    desired_jumps = {f"-A {chain} {rule}" for chain, rule in desired.hooks.items()}
    wrong = _wrong_hooks(desired, observed)
    surplus = [line for line in observed.references if line not in desired_jumps or line.split(" ", 2)[1] in wrong]
    lines = [f":{chain} - [0:0]" for chain in (*written, *removed)]
    lines += [f"-D {line[3:]}" for line in surplus]
    lines += [f"-I {chain} 1 {desired.hooks[chain]}" for chain in wrong]
    lines += [f"-A {chain} {rule}" for chain in written for rule in desired.chains[chain]]
    lines += [f"-X {chain}" for chain in removed]
    hooked = tuple(dict.fromkeys([*wrong, *(line.split(" ", 2)[1] for line in surplus)]))
    return Difference(written, removed, hooked, tuple(lines))


def restore_text(differences: Mapping[str, Difference]) -> str:
    """One input for iptables-restore; each table in it is one atomic commit."""
    parts = ["\n".join([f"*{name}", *change.lines, "COMMIT\n"]) for name, change in differences.items() if change]
    return "".join(parts)


def _parse_table(lines: list[str], prefix: str) -> ObservedTable:
    jump = re.compile(rf" -[jg] {re.escape(prefix)}")
    chains: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    references: list[str] = []
    for line in lines:
        if line.startswith(f":{prefix}"):
            chains[line[1:].split(" ", 1)[0]] = []
        elif line.startswith(f"-A {prefix}"):
            chain, rule = _split(line)
            chains.setdefault(chain, []).append(rule)
        elif line.startswith("-A "):
            chain, rule = _split(line)
            first.setdefault(chain, rule)
            if jump.search(line):
                references.append(line)
    return ObservedTable({chain: tuple(rules) for chain, rules in chains.items()}, first, tuple(references))


def _split(line: str) -> tuple[str, str]:
    _, chain, *rest = line.split(" ", 2)
    return chain, rest[0] if rest else ""


def _wrong_hooks(desired: Table, observed: ObservedTable) -> list[str]:
    """Built-in chains whose jump is missing, not at the head, or present more than once."""
    return list(_iterate_wrong(desired, observed))


def _iterate_wrong(desired: Table, observed: ObservedTable) -> Iterator[str]:
    for chain, rule in desired.hooks.items():
        if observed.first.get(chain) != rule or observed.references.count(f"-A {chain} {rule}") != 1:
            yield chain
