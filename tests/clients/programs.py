"""Finds the clients in the directory that SAMPAN_CLIENTS names, and the kubectls of this machine. No downloads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from lab.kubectl import newer_kubectls
from lab.layout import CACHE_ROOT

_VARIABLE: Final = "SAMPAN_CLIENTS"
_DEBIAN: Final = CACHE_ROOT / "kubectl-1.20/usr/bin/kubectl"


def find(name: str) -> Path | None:
    """The program of that name in the directory, such as `helm3` or `venv/bin/python`."""
    directory = os.environ.get(_VARIABLE)
    path = Path(directory, name) if directory else None
    return path if path and os.access(path, os.X_OK) else None


def need(name: str) -> Path:
    """Like `find`, but skips the test if the program is missing."""
    path = find(name)
    if path is None:
        pytest.skip(f"no {name} in the directory {_VARIABLE}: CONTRIBUTING.md says how to build it")
    return path


def kubectls() -> list[Path]:
    """All versions, each program once."""
    mine = find("kubectl")
    debian = [_DEBIAN] if _DEBIAN.exists() else []
    return list({path.resolve(): path for path in (*debian, *newer_kubectls(), *([mine] if mine else []))}.values())
