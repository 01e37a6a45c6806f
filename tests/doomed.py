"""A process that makes something, prints its name, and is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_WAIT = "\nimport time\ntime.sleep(600)\n"


@dataclass
class Doomed:
    """The process, and the line that it printed."""

    process: subprocess.Popen[str]
    name: str

    def kill(self) -> None:
        """SIGKILL: the process cannot remove what it made."""
        self.process.kill()
        self.process.wait()


@contextmanager
def doomed(script: str) -> Iterator[Doomed]:
    """Runs `script` in a Python of its own; its last line prints the name of what it made, and then it waits.

    A test that examines what is left must kill it within `hull.owner.sweeping()`. Otherwise its watcher, or another
    test run, may sweep at the same time.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script + _WAIT]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            name = process.stdout.readline().strip()
            assert name, "the script ended without printing a name"
            yield Doomed(process, name)
        finally:
            process.kill()
