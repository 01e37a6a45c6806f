"""A cluster in a lab of its own, removed at the end in any case: if this process is killed, by its watcher or the next
run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from hull import watcher
from hull.errors import LeftOver
from hull.owner import OwnedNames, mark, sweeping
from lab import lab as labs
from lab.cluster import Cluster
from lab.config import Periods
from lab.lab import Lab, delete, in_parallel, leftovers
from lab.layout import LABS_ROOT, NETNS_ROOT

NAMES: Final = OwnedNames("test")
"""The names of labs that tests make."""


@contextmanager
def running_cluster(
    *, nodes: int = 3, periods: Periods | None = None, command: Sequence[str] = ()
) -> Iterator[Cluster]:
    """A cluster whose nodes are Ready; otherwise as `prepared_cluster`."""
    with prepared_cluster(nodes=nodes, periods=periods, command=command) as cluster:
        cluster.start()
        cluster.wait_api()
        cluster.wait_nodes()
        yield cluster


@contextmanager
def prepared_cluster(
    *, nodes: int = 3, periods: Periods | None = None, command: Sequence[str] = ()
) -> Iterator[Cluster]:
    """Hosts, engines, and a registry with all images, but no master and no agents yet.

    `command`: the `sampan` to run, as in `Cluster`. `periods`: by default short, so that faults show within seconds.
    Raises LeftOver if something could not be removed at the end.
    """
    lab = Lab(NAMES.new())
    watcher.watch(f"{__name__}:sweep", NETNS_ROOT, LABS_ROOT, mark=mark())
    try:
        lab.create(nodes=nodes)
        in_parallel([lab.start_engines, lambda: _fill_registry(lab)], lambda work: work())
        yield Cluster(lab, periods=periods, command=command)
    finally:
        delete(lab.name)
        if left := list(leftovers(lab.name)):
            raise LeftOver(f"left of the cluster {lab.name}: {', '.join(left)}")


def sweep() -> tuple[str, ...]:
    """Remove the labs of ended processes, whatever is left of them; the names of these labs."""
    with sweeping():
        ended = NAMES.ended(sorted(_labs()))
        for name in ended:
            labs.delete(name)
    return ended


def _labs() -> set[str]:
    """The names of labs that have a directory or a namespace: either may be all that is left."""
    directories = LABS_ROOT.glob("*") if LABS_ROOT.is_dir() else ()
    namespaces = NETNS_ROOT.glob("sampan-*") if NETNS_ROOT.is_dir() else ()
    return {path.name for path in directories} | {
        path.name.removeprefix("sampan-").rpartition("-")[0] for path in namespaces
    }


def _fill_registry(lab: Lab) -> None:
    lab.start_registry()
    lab.push_images()
