"""A cluster in a lab of its own: made, and removed whatever happens; also by the next run, when this one is killed."""

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
"""Of labs."""


@contextmanager
def running_cluster(
    *, nodes: int = 3, periods: Periods | None = None, command: Sequence[str] = ()
) -> Iterator[Cluster]:
    """A cluster whose nodes are Ready; all else as for `prepared_cluster`."""
    with prepared_cluster(nodes=nodes, periods=periods, command=command) as cluster:
        cluster.start()
        cluster.wait_api()
        cluster.wait_nodes()
        yield cluster


@contextmanager
def prepared_cluster(
    *, nodes: int = 3, periods: Periods | None = None, command: Sequence[str] = ()
) -> Iterator[Cluster]:
    """Hosts, engines, and a registry that has all images: neither master nor agent runs yet.

    `command`: the `sampan` to run, as in `Cluster`. Periods are short unless given: a fault shows within seconds.
    Raises LeftOver when something of it could not be removed at the end.
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
            raise LeftOver(f"of the cluster {lab.name}: {', '.join(left)}")


def sweep() -> tuple[str, ...]:
    """Remove the labs of ended processes, whatever is left of them; their names."""
    with sweeping():
        ended = NAMES.ended(sorted(_labs()))
        for name in ended:
            labs.delete(name)
    return ended


def _labs() -> set[str]:
    """Names of labs by their directories and by their hosts' namespaces: either may be all that is left."""
    directories = LABS_ROOT.glob("*") if LABS_ROOT.is_dir() else ()
    namespaces = NETNS_ROOT.glob("sampan-*") if NETNS_ROOT.is_dir() else ()
    return {path.name for path in directories} | {
        path.name.removeprefix("sampan-").rpartition("-")[0] for path in namespaces
    }


def _fill_registry(lab: Lab) -> None:
    lab.start_registry()
    lab.push_images()
