"""The file that names the processes of the node's DNS, so that an agent finds those that an earlier one has left.

Owns the file and its form: a line with pid and start time for each process. It means nothing after a reboot.
"""

from __future__ import annotations

import contextlib
import logging
import signal
from pathlib import Path

from hull import atomicfile, processes
from hull.processes import ProcessRecord

log = logging.getLogger(__name__)


class DnsFile:
    """Names processes of the node's DNS."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, process: ProcessRecord) -> None:
        """A process has been started. Others may still answer."""
        self._write([*filter(processes.alive, self._read()), process])

    def end_others(self, present: ProcessRecord | None) -> None:
        """End all processes but this one: they do not know what changes any more."""
        for each in self._read():
            if each != present:
                processes.send(each, signal.SIGTERM)
        self._write([] if present is None else [present])

    def _read(self) -> list[ProcessRecord]:
        with contextlib.suppress(OSError, ValueError):
            lines = (line.split() for line in self._path.read_text().splitlines())
            return [ProcessRecord(int(pid), int(started)) for pid, started in lines if int(pid) > 0]
        return []

    def _write(self, records: list[ProcessRecord]) -> None:
        text = "".join(f"{each.pid} {each.started}\n" for each in records)
        try:
            atomicfile.write(self._path, text, durable=False)
        except OSError as error:
            log.warning("the processes of the node's DNS cannot be written down: %s", error)
