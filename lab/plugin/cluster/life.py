"""A cluster in a lab of its own: made, and removed whatever happens; also by the next run, when this one is killed.

The lab's name has the pid and the start time of its owner in it, so that whoever comes later knows without any record
which labs have none any more.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final

from lab import lab as labs
from lab.cluster import Cluster
from lab.config import Periods
from lab.errors import LeftOver
from lab.lab import Lab, delete, in_parallel, leftovers
from lab.layout import LABS_ROOT, NETNS_ROOT
from lab.processes import ProcessRecord, record_of

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME: Final = re.compile(r"test-(?P<pid>[0-9a-z]+)-(?P<started>[0-9a-z]+)-[0-9]+")
_NAMESPACE: Final = re.compile(rf"sampan-(?P<lab>{_NAME.pattern})-[a-z0-9]+")
_numbers = count(1)
_lock = threading.Lock()


@contextmanager
def running_cluster(
    *, nodes: int = 3, periods: Periods | None = None, command: Sequence[str] = ()
) -> Iterator[Cluster]:
    """A cluster whose nodes are Ready. Raises LeftOver when something of it could not be removed at the end.

    `command`: the `sampan` to run, as in `Cluster`. Periods are short unless given: a fault shows within seconds.
    """
    lab = Lab(new_name())
    cluster = Cluster(lab, periods=periods, command=command)
    try:
        lab.create(nodes=nodes)
        in_parallel([lab.start_engines, lambda: _fill_registry(lab)], lambda work: work())
        cluster.start()
        cluster.wait_api()
        cluster.wait_nodes()
        yield cluster
    finally:
        delete(lab.name)
        if left := list(leftovers(lab.name)):
            raise LeftOver(f"of the cluster {lab.name}: {', '.join(left)}")


def new_name() -> str:
    """A name for a lab of this process, of at most 24 characters."""
    owner = record_of(os.getpid())
    if owner is None:
        raise ProcessLookupError("this process has no entry in /proc")
    with _lock:
        return f"test-{_written(owner.pid)}-{_written(owner.started)}-{next(_numbers)}"


def owner_of(name: str) -> ProcessRecord | None:
    """The process that made the lab; None for one that was not made here."""
    found = _NAME.fullmatch(name)
    return ProcessRecord(int(found["pid"], 36), int(found["started"], 36)) if found else None


def sweep() -> tuple[str, ...]:
    """Remove the labs of ended processes, whatever is left of them; their names."""
    named = {path.name for path in LABS_ROOT.glob("*")} if LABS_ROOT.is_dir() else set()
    namespaces = NETNS_ROOT.glob("sampan-*") if NETNS_ROOT.is_dir() else ()
    named |= {found["lab"] for path in namespaces if (found := _NAMESPACE.fullmatch(path.name))}
    owned = ((name, owner_of(name)) for name in sorted(named))
    ended = tuple(name for name, owner in owned if owner is not None and record_of(owner.pid) != owner)
    for name in ended:
        labs.delete(name)
    return ended


def _fill_registry(lab: Lab) -> None:
    lab.start_registry()
    lab.push_images()


def _written(number: int) -> str:
    """Base 36, which is what fits."""
    written = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        written = _DIGITS[digit] + written
    return written or "0"
