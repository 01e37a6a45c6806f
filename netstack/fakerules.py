"""iptables in memory: `save` and `restore` for fake.py.

It knows tables, chains and jumps, but not what matches mean. It keeps the text of a rule as given, so only rules in the
canonical form of services/rules.py are printed as the real iptables-save prints them.
"""

from __future__ import annotations

import re

from netstack.errors import RulesRefused

_BUILT_IN = {"nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "filter": ("INPUT", "FORWARD", "OUTPUT")}
_JUMP = re.compile(r"(?:^| )-[jg] (\S+)")
_TARGETS = frozenset({"ACCEPT", "DROP", "RETURN", "REJECT", "MASQUERADE", "MARK", "DNAT", "LOG"})

Chains = dict[str, list[str]]


class FakeIptables:
    """Implements `RuleTool`."""

    def __init__(self) -> None:
        self._tables: dict[str, Chains] = {}
        self._policies: dict[tuple[str, str], str] = {}

    def save(self) -> str:
        return "".join(self._table_text(name) for name in sorted(self._tables))

    def restore(self, text: str) -> None:
        """Apply each table as a whole or not at all. Raises RulesRefused."""
        name, chains, policies = "", Chains(), dict(self._policies)
        for line in text.splitlines():
            if line.startswith("*"):
                name = line[1:]
                chains = self._copy(name)
            elif line == "COMMIT":
                _check(name, chains)
                self._tables[name] = chains
                self._policies = dict(policies)
            elif line.startswith(":"):
                self._declare(name, chains, policies, line)
            elif line and not line.startswith("#"):
                _command(name, chains, line)

    def _copy(self, name: str) -> Chains:
        if name not in _BUILT_IN:
            raise RulesRefused(f"no table {name}")
        known = self._tables.get(name, {chain: [] for chain in _BUILT_IN[name]})
        return {chain: list(rules) for chain, rules in known.items()}

    def _declare(self, name: str, chains: Chains, policies: dict[tuple[str, str], str], line: str) -> None:
        chain, policy = line[1:].split(" ")[:2]
        if chain in _BUILT_IN[name]:
            policies[name, chain] = policy
        else:
            chains[chain] = []

    def _table_text(self, name: str) -> str:
        lines = [f"*{name}"]
        for chain in self._tables[name]:
            policy = self._policies.get((name, chain), "ACCEPT") if chain in _BUILT_IN[name] else "-"
            lines.append(f":{chain} {policy} [0:0]")
        lines += [f"-A {chain} {rule}".rstrip() for chain, rules in self._tables[name].items() for rule in rules]
        return "\n".join([*lines, "COMMIT\n"])


def _command(table: str, chains: Chains, line: str) -> None:
    verb, chain, *rest = line.split(" ", 2)
    rule = rest[0] if rest else ""
    if chain not in chains:
        raise RulesRefused(f"{table}: no chain {chain} ({line})")
    rules = chains[chain]
    match verb:
        case "-A":
            _need_target(chains, rule, line)
            rules.append(rule)
        case "-I":
            position, rule = rule.split(" ", 1)
            _need_target(chains, rule, line)
            rules.insert(int(position) - 1, rule)
        case "-D" if rule in rules:
            rules.remove(rule)
        case "-X" if not rules and chain not in _BUILT_IN[table] and not _is_target(chains, chain):
            del chains[chain]
        case _:
            raise RulesRefused(f"{table}: {line}")


def _need_target(chains: Chains, rule: str, line: str) -> None:
    jump = _JUMP.search(rule)
    if jump is not None and jump.group(1) not in chains and jump.group(1) not in _TARGETS:
        raise RulesRefused(f"no chain {jump.group(1)} ({line})")


def _is_target(chains: Chains, chain: str) -> bool:
    jumps = (_JUMP.search(rule) for rules in chains.values() for rule in rules)
    return any(jump is not None and jump.group(1) == chain for jump in jumps)


def _check(table: str, chains: Chains) -> None:
    for rules in chains.values():
        for rule in rules:
            _need_target(chains, rule, table)
