"""How far the store has come, beside it: `store.db-mark`, a line with its id and the last acknowledged revision.

SQLite takes a log that ends early for one that a crash cut short, and drops what follows: right for a write that was
under way, wrong for one that was acknowledged. The mark tells them apart. It is written after the commit is on the
disk and not synced itself, so that it never names more than was kept, and costs no second sync. It also says that
there was a store, and which one.
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
    """What the mark says."""

    store_id: int
    revision: int


class Mark:
    """The file, written in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._told = False

    def read(self) -> Marked | None:
        """None when there is none, or none that can be read: then the store stands for itself. Raises OSError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        line = _LINE.fullmatch(content)
        if line is None or int(line[3], 16) != zlib.crc32(content[: line.start(3)]):
            log.warning("%s: damaged; whether the store's last commits are all there cannot be told", self.path)
            return None
        return Marked(int(line[1], 16), int(line[2]))

    def write(self, store_id: int, revision: int) -> None:
        """Overwrite it. The commit is on the disk already: a mark that cannot be written fails nobody."""
        head = b"sampan-mark-1 %016x %020d " % (store_id, revision)
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
                os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, head + b"%08x\n" % zlib.crc32(head), 0)
        except OSError as error:
            if not self._told:
                log.warning("%s: %s; a loss of the store's last commits would not be noticed", self.path, error)
            self._told = True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
