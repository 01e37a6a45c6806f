"""Runs one command of the runner in the foreground, and passes interrupts on to it."""

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
    """The child's exit code; for a child that a signal ended 128 plus its number, as in shells.

    Ctrl-C at the terminal reaches the child as well, and SIGTERM is passed on. The child then removes its labs,
    and this waits for it.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background jobs so. The programs that are tested would inherit it, and ignore their Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, cwd=ROOT, env=variables) as child:
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
