"""Runs `sampan lab` of this checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.lab import Lab

COMMAND = (str(Path(__file__).resolve().parents[2] / "sampan"), "lab")


def command(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an action on a lab, to its end."""
    done = subprocess.run([*COMMAND, *words, "--lab", lab.name], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done
