"""A process that has made something in the lab, tells its name, and is killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_AND_WAITS = "\nimport time\ntime.sleep(600)\n"


@dataclass
class Doomed:
    """`name` is what it printed."""

    process: subprocess.Popen[str]
    name: str

    def kill(self) -> None:
        """At once and without a word: what it has made stays."""
        self.process.kill()
        self.process.wait()


@contextmanager
def doomed(script: str) -> Iterator[Doomed]:
    """Runs `script` in a Python of its own, up to the last line, which prints the name of what it has made.

    A test that looks at what is left kills it within `hull.owner.sweeping()`: another test run that begins at that
    moment would sweep it away.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script + _AND_WAITS]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            name = process.stdout.readline().strip()
            assert name, "it ended before it had made anything"
            yield Doomed(process, name)
        finally:
            process.kill()
