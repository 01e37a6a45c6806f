"""Names that contain their owner, the process that made the thing, so that a later process can remove orphaned things.

A name contains the pid and the start time of its owner. The kernel reuses pids, but both together identify one process.
So no record is needed to find the things whose owner has ended. Owns the format of such names, and the lock that lets
only one process sweep at a time. Makes and removes nothing itself.
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
    """The names of one sort of things: `prefix-pid-started-number`, each new name different.

    `parts`: a name stands for several things that are called `name-part`; `owner_of` then accepts only those.
    """

    prefix: str
    parts: bool = False

    def new(self) -> str:
        """A new name for a thing of this process. The first 1,000 have at most 19 characters after the prefix."""
        return f"{self.prefix}{mark()}{next(_numbers)}"

    def owner_of(self, name: str) -> ProcessRecord | None:
        """The process that made the thing of this name; None for a name that is not of this sort."""
        part = "-.+" if self.parts else ""
        match = re.fullmatch(rf"{re.escape(self.prefix)}-([0-9a-z]+)-([0-9a-z]+)-[0-9]+{part}", name)
        return ProcessRecord(int(match[1], 36), int(match[2], 36)) if match else None

    def ended(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names whose owner has ended; names of other sorts are left out."""
        owned = ((name, self.owner_of(name)) for name in names)
        return tuple(name for name, owner in owned if owner is not None and record_of(owner.pid) != owner)


def mark() -> str:
    """What the names of all things of this process contain."""
    owner = record_of(os.getpid())
    if owner is None:
        raise ProcessLookupError("this process has no entry in /proc")
    return f"-{_base36(owner.pid)}-{_base36(owner.started)}-"


@contextmanager
def sweeping(lock: Path = _LOCK) -> Iterator[None]:
    """Hold the sweep lock: two processes that remove the same things would fail on what the other has half removed.

    It is a POSIX lock, which belongs to the process: its holder may call a function that takes it again, and loses the
    lock when that function returns. Raises Busy if another process holds it for a minute.
    """
    with lockfile.opened(lock) as descriptor:
        for _ in until(_PATIENCE_S):
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                continue
            break
        else:
            raise Busy(f"another process has been sweeping for {_PATIENCE_S:g} s")
        yield


def _base36(number: int) -> str:
    """Short, as the name of a lab has at most 24 characters."""
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits or "0"
