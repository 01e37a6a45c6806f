"""What a test left behind: the difference between two snapshots of the machine.

A snapshot of scope `OWN` has the namespaces with this process's name, so it works beside other processes and with
xdist. One of scope `MACHINE` has all namespaces and mounts, and the links and rules outside of namespaces.
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
from hull.mounts import mounts_below
from hull.processes import ProcessRecord, alive, record_of
from netrig.topology import naming
from netstack import namespaces
from netstack.network import open_network
from netstack.services.listing import rules_with_counters

_COUNTERS: Final = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+")


class Scope(StrEnum):
    """The choices of `--leak-check`."""

    OWN = "own"
    MACHINE = "machine"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a test can leave behind: its kind, in one word, and its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The things that exist at one moment."""

    things: frozenset[Thing]

    def beyond(self, before: Snapshot) -> tuple[Thing, ...]:
        """The things that were not in `before`, sorted."""
        return tuple(sorted(self.things - before.things, key=str))


def take(scope: Scope) -> Snapshot:
    """A snapshot of the machine as it is now."""
    if scope is Scope.OFF:
        return Snapshot(frozenset())
    this_process = record_of(os.getpid())
    everything = scope is Scope.MACHINE
    names = [name for name in namespaces.names() if everything or naming.NAMES.owner_of(name) == this_process]
    things = {Thing("namespace", name) for name in names}
    if everything:
        things |= {Thing("mount", target) for target in mounts_below(Path("/")) if not _is_namespace(target)}
        things |= {Thing("link", name) for name in _links()}
        things |= {Thing("rule", rule) for rule in rules_of(rules_with_counters(None))}
    return Snapshot(frozenset(things))


def remove_own(left: Iterable[Thing]) -> None:
    """Remove the namespaces of this process, so that they do not disturb the next test."""
    this_process = record_of(os.getpid())
    names = [thing.name for thing in left if thing.kind == "namespace"]
    own = [name for name in names if naming.NAMES.owner_of(name) == this_process]
    naming.end_members(own)
    for name in own:
        namespaces.delete(name)


def members(paths: Iterable[Path]) -> list[ProcessRecord]:
    """The processes in these namespaces, except this process."""
    return [record for record in sweep.members_of_netns(paths) if record.pid != os.getpid()]


def survivors(records: Iterable[ProcessRecord]) -> Iterator[str]:
    """The pids and commands of those that still run."""
    for record in records:
        if alive(record):
            yield f"{record.pid} ({_command(record.pid)})"


def end(records: Iterable[ProcessRecord]) -> None:
    """Kill these processes."""
    sweep.kill_all(records)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "ended"


def _is_namespace(mount: str) -> bool:
    return Path(mount).is_relative_to(namespaces.RUN_DIR)


def _links() -> list[str]:
    with open_network(None) as network:
        return [link.name for link in network.links()]


def rules_of(text: str) -> list[str]:
    """The rules in a listing, without counters, and without comments, which contain the time."""
    lines = (_COUNTERS.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
