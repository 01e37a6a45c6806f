"""All packet filter rules of a namespace with their counters, as text for people: legacy iptables and nftables.

It only reads, and does not interpret what it prints. If a program is missing or the kernel has no such tables, the text
says so and nothing is raised.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from netstack import namespaces
from netstack.namespaces import Where

_SEARCH_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_TIMEOUT_S: Final = 20
_LEGACY_TABLES: Final = Path("/proc/thread-self/net/ip_tables_names")


def rules_with_counters(where: Where) -> str:
    """The rules as text; empty if there are none."""
    return namespaces.run_in(where, lambda: "\n".join(part for part in (_legacy(), _nftables()) if part))


def _legacy() -> str:
    # Reading a legacy table creates it, so check first whether this namespace has any.
    try:
        if not _LEGACY_TABLES.read_text().strip():
            return ""
    except OSError:
        return ""
    return _output("iptables-legacy-save", "-c")


def _nftables() -> str:
    if shutil.which("nft", path=_SEARCH_PATH):
        return _output("nft", "list", "ruleset")
    return _output("iptables-nft-save", "-c")


def _output(program: str, *arguments: str) -> str:
    path = shutil.which(program, path=_SEARCH_PATH)
    if path is None:
        return f"({program} is not installed)"
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"({program} did not answer within {_TIMEOUT_S} s)"
    body = _interesting(done.stdout) if done.returncode == 0 else f"({done.stderr.strip()})"
    return f"{program} {' '.join(arguments)}:\n{body}" if body else ""


def _interesting(saved: str) -> str:
    """The text without comments, and without tables that have no rule and only ACCEPT policies."""
    lines = [line for line in saved.splitlines() if line and not line.startswith("#")]
    tables = "\n".join(lines).split("COMMIT")
    kept = [
        table.strip()
        for table in tables
        if not table.lstrip().startswith("*") or "] -A " in table or " DROP [" in table
    ]
    return "\n".join(table for table in kept if table)
