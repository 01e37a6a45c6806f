"""Runs iptables-save and iptables-restore, legacy or nft, inside one namespace.

Chooses the variant and runs the programs (subprocess uses vfork and exec, never a plain fork). It does not know what
the rules mean. The caller chooses the lock file, by XTABLES_LOCKFILE in the environment.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netstack import namespaces
from netstack.errors import RulesBusy, RulesRefused, RulesUnavailable
from netstack.namespaces import Where

LEGACY: Final = "legacy"
NFT: Final = "nft"
_LOCK_WAIT_S: Final = 5
_TIMEOUT_S: Final = 60
_RESOURCE_PROBLEM: Final = 4  # exit status of iptables if it did not get the lock
_MODULES: Final = {LEGACY: "ip_tables, iptable_nat and iptable_filter", NFT: "nf_tables, nft_compat and nft_chain_nat"}
_SEARCH_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_LEGACY_TABLES: Final = Path("/proc/thread-self/net/ip_tables_names")


@dataclass(frozen=True, slots=True)
class Iptables:
    """One variant of iptables in one namespace."""

    variant: str
    where: Where
    save_program: str
    restore_program: str

    def save(self) -> str:
        """All tables that exist, as text."""
        return self._run([self.save_program], "")

    def restore(self, text: str) -> None:
        """Apply without flushing. Raises RulesBusy, or RulesRefused with the program's own message."""
        self._run([self.restore_program, "--noflush", "-w", str(_LOCK_WAIT_S)], text)

    def _run(self, command: list[str], text: str) -> str:
        done = _run(self.where, command, text)
        if done.returncode == _RESOURCE_PROBLEM:
            raise RulesBusy(f"{command[0]}: {done.stderr.strip()}")
        if done.returncode != 0:
            raise RulesRefused(f"{command[0]}: {done.stderr.strip()}{_refused_line(done.stderr, text)}")
        return done.stdout


def choose(where: Where, prefix: str, *, variant: str | None = None) -> Iptables:
    """The variant that already has rules in the namespace, else legacy where the kernel supports it, else nft.

    If both have rules: the variant with more of our chains, then the one that drops forwarded packets, then the one
    with more rules. A given `variant` overrides the choice. Raises RulesUnavailable, whose message names the remedy.
    """
    variants = (variant,) if variant else (LEGACY, NFT)
    tools = {name: tool for name in variants if (tool := tool_of(name, where)) is not None}
    if not tools:
        programs = ", ".join(f"iptables-{name}-save, iptables-{name}-restore" for name in variants)
        raise RulesUnavailable(f"iptables is missing: no {programs} in {_SEARCH_PATH}; install the package iptables")
    saved = {name: saved_by(tool) for name, tool in tools.items()}
    best = max(saved, key=lambda name: _weight(saved[name], prefix))
    if _weight(saved[best], prefix) > (0, False, 0):
        return tools[best]
    refusals: dict[str, str] = {}
    for name, tool in tools.items():
        probe = _run(where, [tool.save_program, "-t", "nat"], "")
        if probe.returncode == 0:
            return tool
        refusals[name] = probe.stderr.strip()
    reasons = "; ".join(f"{name}: {error}, its modules are {_MODULES[name]}" for name, error in refusals.items())
    raise RulesUnavailable(
        f"this kernel accepts no iptables rules ({reasons}); load the modules of one variant with modprobe"
    )


def other_variant(tool: Iptables, prefix: str) -> Iptables | None:
    """The other variant, if it may drop forwarded packets or has rules of ours; else None.

    The kernel evaluates the rules of both variants for each packet, and an accept in one does not undo a drop in the
    other.
    """
    other = tool_of(NFT if tool.variant == LEGACY else LEGACY, tool.where)
    if other is None or not _may_have_filters(other):
        return None
    done = _run(other.where, [other.save_program, "-t", "filter"], "")
    return other if done.returncode == 0 and _filters_forward(done.stdout, prefix) else None


def tool_of(variant: str, where: Where) -> Iptables | None:
    """The variant's programs; None when they are not installed."""
    save = shutil.which(f"iptables-{variant}-save", path=_SEARCH_PATH)
    restore = shutil.which(f"iptables-{variant}-restore", path=_SEARCH_PATH)
    return Iptables(variant, where, save, restore) if save and restore else None


def saved_by(tool: Iptables) -> str:
    """The variant's rules as text, without creating any table. Empty if it has none or does not work."""
    # Reading a legacy table creates it, so check first whether this namespace has any.
    if tool.variant == LEGACY and not namespaces.run_in(tool.where, _legacy_tables):
        return ""
    done = _run(tool.where, [tool.save_program], "")
    return done.stdout if done.returncode == 0 else ""


def _legacy_tables() -> str:
    try:
        return _LEGACY_TABLES.read_text()
    except OSError:
        return ""


def _weight(saved: str, prefix: str) -> tuple[int, bool, int]:
    drops = re.search(r"^:FORWARD DROP", saved, re.MULTILINE) is not None
    return saved.count(f"\n:{prefix}"), drops, saved.count("\n-A ")


def _may_have_filters(tool: Iptables) -> bool:
    """Whether the variant may have filter rules. Reading a legacy table creates it, so /proc is read instead."""
    return tool.variant == NFT or "filter" in namespaces.run_in(tool.where, _legacy_tables).split()


def _filters_forward(saved: str, prefix: str) -> bool:
    lines = saved.splitlines()
    return any(line.startswith((":FORWARD DROP", "-A FORWARD ", f":{prefix}")) for line in lines)


def _run(where: Where, command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    def body() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)

    try:
        return namespaces.run_in(where, body)
    except subprocess.TimeoutExpired as error:
        raise RulesBusy(f"{command[0]} did not end within {_TIMEOUT_S} s") from error


def _refused_line(stderr: str, text: str) -> str:
    """The line that iptables-restore refused: its error has only the number."""
    match = re.search(r"line:? (\d+)", stderr)
    lines = text.splitlines()
    number = int(match.group(1)) if match else 0
    return f" ({lines[number - 1]})" if 0 < number <= len(lines) else ""
