"""Names that tell which process made a thing, so that whoever comes later removes what a killed one left.

A name has the pid and the start time of its owner: a pid alone is given out again, both name one process for good. So
no record is needed to know what has no owner any more. Owns the form of such names, and that only one process sweeps at
a time; makes and removes nothing.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hull import lockfile
from hull.errors import Busy
from hull.processes import ProcessRecord, record_of, until

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LOCK: Final = Path("/var/cache/sampan/locks/sweep.lock")
_PATIENCE_S: Final = 60.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class OwnedNames:
    """The names of one sort of things: `prefix-pid-started-number`, all of this process different.

    `parts`: whether a name stands for several things, each called `name-part`; `owner_of` then knows these only.
    """

    prefix: str
    parts: bool = False

    def new(self) -> str:
        """A name for a thing of this process, of at most 19 characters behind the prefix for the first 1,000."""
        return f"{self.prefix}{mark()}{next(_numbers)}"

    def owner_of(self, name: str) -> ProcessRecord | None:
        """The process that made what is called so; None for a name that is not of this sort."""
        part = "-.+" if self.parts else ""
        found = re.fullmatch(rf"{re.escape(self.prefix)}-([0-9a-z]+)-([0-9a-z]+)-[0-9]+{part}", name)
        return ProcessRecord(int(found[1], 36), int(found[2], 36)) if found else None

    def ended(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these names whose owner does not run any more; others' names are left out."""
        owned = ((name, self.owner_of(name)) for name in names)
        return tuple(name for name, owner in owned if owner is not None and record_of(owner.pid) != owner)


def mark() -> str:
    """What the names of all things of this process contain."""
    owner = record_of(os.getpid())
    if owner is None:
        raise ProcessLookupError("this process has no entry in /proc")
    return f"-{_written(owner.pid)}-{_written(owner.started)}-"


@contextmanager
def sweeping(lock: Path = _LOCK) -> Iterator[None]:
    """Held by whoever removes what others left: two at once would stumble over what the other has half removed.

    A lock of the process (POSIX), not of the open file: whoever holds it may call what takes it, and has it no more
    afterwards. Raises Busy when another process sweeps for a minute.
    """
    with lockfile.opened(lock) as descriptor:
        for _ in until(_PATIENCE_S):
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                continue
            break
        else:
            raise Busy(f"another process removes what killed ones left, for {_PATIENCE_S:g} s now")
        yield


def _written(number: int) -> str:
    """Base 36: a lab's name has 24 characters at most."""
    written = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        written = _DIGITS[digit] + written
    return written or "0"
