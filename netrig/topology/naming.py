"""Names of a topology's namespaces, and removal of what a killed run left."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hull import sweep as processes_sweep
from hull import watcher
from hull.owner import OwnedNames, mark, sweeping
from netstack import namespaces

NAMES: Final = OwnedNames("topo", parts=True)
"""A topology has a name, each of its namespaces is a part of it."""


def watch() -> None:
    """Have the namespaces of this process removed when it is killed."""
    watcher.watch(f"{__name__}:sweep", namespaces.RUN_DIR, mark=mark())


def leftovers() -> tuple[str, ...]:
    """Namespaces of topologies whose process has ended."""
    return NAMES.ended(namespaces.names())


def sweep() -> tuple[str, ...]:
    """Remove what ended processes left: namespaces, and whoever still runs in them. The names that were removed."""
    with sweeping():
        found = leftovers()
        end_members(found)
        for name in found:
            namespaces.delete(name)
    return found


def end_members(names: Iterable[str]) -> None:
    """Kill the processes that live in these namespaces, but for this one."""
    processes_sweep.kill_all(processes_sweep.members_of_netns([Path(namespaces.path_of(name)) for name in names]))
