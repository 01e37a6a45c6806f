"""Names of a topology's namespaces, and removal of what a killed run left.

A name begins with the pid and the start time of the process that made it: a pid alone is given out again, both name
one process for good. So whoever comes later knows which namespaces have no owner any more, without any record.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lab import sweep as processes_sweep
from lab.processes import ProcessRecord, record_of
from netstack import namespaces

_PREFIX: Final = "topo"
_NAME: Final = re.compile(rf"{_PREFIX}-(?P<pid>[0-9]+)-(?P<started>[0-9]+)-[0-9]+-.+")
_numbers = itertools.count(1)
_lock = threading.Lock()


def new_prefix() -> str:
    """The beginning of all names of one topology of this process."""
    owner = record_of(os.getpid())
    if owner is None:
        raise ProcessLookupError("this process has no entry in /proc")
    with _lock:
        return f"{_PREFIX}-{owner.pid}-{owner.started}-{next(_numbers)}-"


def owner_of(name: str) -> ProcessRecord | None:
    """The process that made the namespace; None for a name that is not ours."""
    found = _NAME.fullmatch(name)
    return ProcessRecord(int(found["pid"]), int(found["started"])) if found else None


def leftovers() -> tuple[str, ...]:
    """Namespaces of topologies whose process has ended."""
    owned = ((name, owner_of(name)) for name in namespaces.names())
    return tuple(name for name, owner in owned if owner is not None and record_of(owner.pid) != owner)


def sweep() -> tuple[str, ...]:
    """Remove what ended processes left: namespaces, and whoever still runs in them. The names that were removed."""
    found = leftovers()
    end_members(found)
    for name in found:
        namespaces.delete(name)
    return found


def end_members(names: Iterable[str]) -> None:
    """Kill the processes that live in these namespaces, but for this one."""
    processes_sweep.kill_all(processes_sweep.members_of_netns([Path(namespaces.path_of(name)) for name in names]))
