"""One command of the runner in the foreground: its exit code, and the interrupts that reach it too."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout."""


def run(command: Sequence[str], **environment: str) -> int:
    """The child's exit code; that of one ended by a signal as shells have it.

    Ctrl-C reaches the child as well, and SIGTERM is passed on: the child then removes its labs, and is waited for.
    """
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(command, cwd=ROOT, env=surroundings) as child:
        before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            while True:
                try:
                    code = child.wait()
                except KeyboardInterrupt:
                    continue
                return code if code >= 0 else 128 - code
        finally:
            signal.signal(signal.SIGTERM, before)
