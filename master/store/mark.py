"""The mark: a file `store.db-mark` beside the store, with the store's id and the last acknowledged revision.

SQLite assumes that a log with a damaged end was cut off by a crash, and drops everything from the damage on. This is
right for a write that was in progress, and wrong for an acknowledged one; the mark tells them apart. It is written
after the commit is on the disk, so that it never names a revision that was not stored. It is not synced, which would
cost a second fsync. The mark also proves that a store existed, and which one.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(rb"sampan-mark-1 ([0-9a-f]{16}) ([0-9]{20}) ([0-9a-f]{8})\n")
_MODE: Final = 0o600

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Marked:
    """The content of a mark."""

    store_id: int
    revision: int


class Mark:
    """The file. It is overwritten in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._warned = False

    def read(self) -> Marked | None:
        """The mark, or None when it is missing or damaged: then the store cannot be verified. Raises OSError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        line = _LINE.fullmatch(content)
        if line is None or int(line[3], 16) != zlib.crc32(content[: line.start(3)]):
            log.warning("%s: damaged; cannot verify that the store has all acknowledged commits", self.path)
            return None
        return Marked(int(line[1], 16), int(line[2]))

    def write(self, store_id: int, revision: int) -> None:
        """Overwrites the mark. Only logs an error, because the commit is on the disk already."""
        head = b"sampan-mark-1 %016x %020d " % (store_id, revision)
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
                os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, head + b"%08x\n" % zlib.crc32(head), 0)
        except OSError as error:
            if not self._warned:
                log.warning("%s: %s; a loss of the store's last commits would not be noticed", self.path, error)
            self._warned = True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
