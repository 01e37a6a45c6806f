"""The names of a topology's namespaces, and the removal of namespaces that a killed process left."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hull import sweep as processes_sweep
from hull import watcher
from hull.owner import OwnedNames, mark, sweeping
from netstack import namespaces

NAMES: Final = OwnedNames("topo", parts=True)
"""The names of topologies; the namespaces are their parts."""


def watch() -> None:
    """Have the namespaces of this process removed when it is killed."""
    watcher.watch(f"{__name__}:sweep", namespaces.RUN_DIR, mark=mark())


def leftovers() -> tuple[str, ...]:
    """The names of namespaces whose owner has ended."""
    return NAMES.ended(namespaces.names())


def sweep() -> tuple[str, ...]:
    """Remove the namespaces whose owner has ended, with the processes in them; the removed names."""
    with sweeping():
        orphaned = leftovers()
        end_members(orphaned)
        for name in orphaned:
            namespaces.delete(name)
    return orphaned


def end_members(names: Iterable[str]) -> None:
    """Kill the processes in these namespaces, except this process."""
    processes_sweep.kill_all(processes_sweep.members_of_netns([Path(namespaces.path_of(name)) for name in names]))
