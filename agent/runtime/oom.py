"""Which containers the kernel has killed for want of memory, read from its log.

The engine learns of it by an event that races with the container's end: containerd drops the event when the cgroup is
gone before it looked, and the container then counts as killed by anybody. The kernel writes its line before it kills,
ten in five seconds at most: so this is asked where the engine says nothing, and does not replace it.
"""

import errno
import logging
import os
import re
from pathlib import Path
from threading import Lock
from typing import Final

log = logging.getLogger(__name__)

KERNEL_LOG: Final = Path("/dev/kmsg")
_RECORD_BYTES: Final = 8192
"""Each read of /dev/kmsg returns one record; a buffer that is too small for it is refused."""
_KEPT: Final = 1000
_OOM_KILL: Final = re.compile(rb"oom-kill:constraint=CONSTRAINT_MEMCG,.*task_memcg=[^,]*?([0-9a-f]{64})")
"""The summary that mm/oom_kill.c prints; the cgroup ends with the container's id (systemd's driver adds `.scope`)."""


class OomKills:
    """Reads on from where it stopped. Without the right to read the log it knows of nothing."""

    def __init__(self, path: Path = KERNEL_LOG) -> None:
        self._lock = Lock()
        self._killed: dict[str, None] = {}
        self._log = _opened(path)

    def has(self, container: str) -> bool:
        """Whether a process of the container (full id) was killed because the container was at its memory limit."""
        with self._lock:
            self._read_on()
            return container in self._killed

    def close(self) -> None:
        with self._lock:
            if self._log is not None:
                os.close(self._log)
                self._log = None

    def _read_on(self) -> None:
        while self._log is not None:
            try:
                record = os.read(self._log, _RECORD_BYTES)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue  # records were overwritten before they were read; the next read is of the oldest left
                if error.errno != errno.EAGAIN:
                    log.warning("kernel log: %s", error)
                return
            if not record:
                return  # an ordinary file, as tests have it
            for line in record.splitlines():
                if found := _OOM_KILL.search(line):
                    self._killed[found[1].decode()] = None
            while len(self._killed) > _KEPT:
                del self._killed[next(iter(self._killed))]


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        log.info("cannot read the kernel log, only the engine says which containers ran out of memory: %s", error)
        return None
