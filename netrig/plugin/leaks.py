"""What a test left behind: the difference of two looks at the machine.

`OWN` sees what carries this process's name (namespaces, and their mounts): right also where others work on the same
machine, and under xdist. `MACHINE` sees all namespaces and mounts, and the links and rules outside of namespaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hull import sweep
from hull.processes import ProcessRecord, alive, record_of
from netrig.topology import naming
from netstack import namespaces
from netstack.network import open_network
from netstack.services.listing import rules_with_counters

_COUNTERS: Final = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+")


class Scope(StrEnum):
    OWN = "own"
    MACHINE = "machine"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be left: its kind in one word, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is there."""

    things: frozenset[Thing]

    def beyond(self, before: Snapshot) -> tuple[Thing, ...]:
        """What is here and was not before, sorted."""
        return tuple(sorted(self.things - before.things, key=str))


def take(scope: Scope) -> Snapshot:
    if scope is Scope.OFF:
        return Snapshot(frozenset())
    here = record_of(os.getpid())
    everything = scope is Scope.MACHINE
    names = [name for name in namespaces.names() if everything or naming.NAMES.owner_of(name) == here]
    things = {Thing("namespace", name) for name in names}
    if everything:
        things |= {Thing("mount", target) for target in sweep.mounts_below(Path("/")) if not _is_namespace(target)}
        things |= {Thing("link", name) for name in _links()}
        things |= {Thing("rule", rule) for rule in rules_of(rules_with_counters(None))}
    return Snapshot(frozenset(things))


def remove_own(left: Iterable[Thing]) -> None:
    """Remove namespaces of this process, so that the next test does not find them."""
    here = record_of(os.getpid())
    found = [thing.name for thing in left if thing.kind == "namespace" and naming.NAMES.owner_of(thing.name) == here]
    naming.end_members(found)
    for name in found:
        namespaces.delete(name)


def members(paths: Iterable[Path]) -> list[ProcessRecord]:
    """Who lives in these namespaces, but for this process."""
    return [record for record in sweep.members_of_netns(paths) if record.pid != os.getpid()]


def survivors(found: Iterable[ProcessRecord]) -> Iterator[str]:
    """Those of them that still run, by pid and command."""
    for record in found:
        if alive(record):
            yield f"{record.pid} ({_command(record.pid)})"


def end(found: Iterable[ProcessRecord]) -> None:
    sweep.kill_all(found)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "just ended"


def _is_namespace(mount: str) -> bool:
    return Path(mount).is_relative_to(namespaces.RUN_DIR)


def _links() -> list[str]:
    with open_network(None) as network:
        return [link.name for link in network.links()]


def rules_of(text: str) -> list[str]:
    """Without counters, and without the comments, which tell the time."""
    lines = (_COUNTERS.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
