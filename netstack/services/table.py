"""Tables of rules as text: what we want, what iptables-save printed, and the iptables-restore input between them.

Pure. Rules are compared as the ordered full text that iptables-save prints; the text that rules.py makes is in that
form already (comment match last, /32 written out, probabilities with eleven digits), for legacy and nft alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """What one table should hold of ours: whole chains, and one jump at the head of each built-in chain named."""

    chains: Mapping[str, tuple[str, ...]]
    hooks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What one table holds of ours.

    `first` has the first rule of every chain that is not ours, `references` all rules outside our chains that jump
    into them, as saved.
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()


Ruleset = Mapping[str, Table]
Observed = Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class Difference:
    """The way from found to wanted in one table, with what it takes."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    hooked: tuple[str, ...]
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lines)


def parse(saved: str, prefix: str) -> dict[str, Found]:
    """Read the output of iptables-save."""
    tables: dict[str, Found] = {}
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


def as_found(ruleset: Ruleset) -> dict[str, Found]:
    """What the kernel holds after the ruleset was written."""
    return {
        name: Found(
            chains=table.chains,
            first=table.hooks,
            references=tuple(f"-A {chain} {rule}" for chain, rule in table.hooks.items()),
        )
        for name, table in ruleset.items()
    }


def difference(desired: Table, found: Found) -> Difference:
    """Lines for `iptables-restore --noflush`: chains are made or emptied, jumps out, jumps in, rules, dead chains."""
    written = tuple(chain for chain, rules in desired.chains.items() if found.chains.get(chain) != rules)
    removed = tuple(chain for chain in found.chains if chain not in desired.chains)
    wanted = {f"-A {chain} {rule}" for chain, rule in desired.hooks.items()}
    wrong = _wrong_hooks(desired, found)
    surplus = [line for line in found.references if line not in wanted or line.split(" ", 2)[1] in wrong]
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


def _parse_table(lines: list[str], prefix: str) -> Found:
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
    return Found({chain: tuple(rules) for chain, rules in chains.items()}, first, tuple(references))


def _split(line: str) -> tuple[str, str]:
    _, chain, *rest = line.split(" ", 2)
    return chain, rest[0] if rest else ""


def _wrong_hooks(desired: Table, found: Found) -> list[str]:
    """Built-in chains whose jump is missing, not at the head, or there more than once."""
    return list(_iterate_wrong(desired, found))


def _iterate_wrong(desired: Table, found: Found) -> Iterator[str]:
    for chain, rule in desired.hooks.items():
        if found.first.get(chain) != rule or found.references.count(f"-A {chain} {rule}") != 1:
            yield chain
