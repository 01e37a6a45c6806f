"""Reads from the kernel's log which containers were killed because they were out of memory.

The engine's own information can be missing: containerd drops its OOM event if the cgroup is gone before it is read, and
the container then seems to be killed by an ordinary SIGKILL. The kernel logs a line before it kills, but at most ten in
five seconds. So this log is used in addition to the engine, where the engine does not report an OOM kill.
"""

import errno
import logging
import os
import re
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

KERNEL_LOG: Final = Path("/dev/kmsg")
_RECORD_BYTES: Final = 8192
"""Each read of /dev/kmsg returns one record, and fails if the buffer is too small for it."""
_MAX_REMEMBERED: Final = 1000
_OOM_KILL: Final = re.compile(rb"oom-kill:constraint=CONSTRAINT_MEMCG,.*task_memcg=[^,]*?([0-9a-f]{64})")
"""The summary line of mm/oom_kill.c; the cgroup ends with the container's id (systemd's driver adds `.scope`)."""


class OomKills:
    """Reads the log incrementally. Without the permission to read it, no kill is known."""

    def __init__(self, path: Path = KERNEL_LOG) -> None:
        self._killed: dict[str, None] = {}
        self._log = _opened(path)

    def has(self, container: str) -> bool:
        """Whether a process of the container (full id) was killed at the container's memory limit."""
        self._read_on()
        return container in self._killed

    def close(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _read_on(self) -> None:
        while self._log is not None:
            try:
                record = os.read(self._log, _RECORD_BYTES)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue  # records were overwritten before they were read; go on with the oldest one left
                if error.errno != errno.EAGAIN:
                    log.warning("kernel log: %s", error)
                return
            if not record:
                return  # the end of an ordinary file, in tests
            for line in record.splitlines():
                if match := _OOM_KILL.search(line):
                    self._killed[match[1].decode()] = None
            while len(self._killed) > _MAX_REMEMBERED:
                del self._killed[next(iter(self._killed))]


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        log.info("cannot read the kernel log; only the engine reports which containers ran out of memory: %s", error)
        return None
