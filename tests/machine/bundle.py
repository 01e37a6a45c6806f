"""This checkout's bundle, as `sampan bundle` writes it, from wheels that are in the cache."""

from __future__ import annotations

import tarfile
from pathlib import Path

from host import bundle
from host.system import Commands
from lab.layout import CACHE_ROOT
from lab.machine.recipe import HOST


def bundled(target: Path) -> Path:
    """The bundle as a file."""
    packages = bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python)
    return bundle.make(target, Commands(), python=HOST.python, packages=packages)


def unpacked(file: Path) -> Path:
    """The directory in it, beside it."""
    directory = file.with_suffix("")
    with tarfile.open(file) as archive:
        archive.extractall(directory, filter="data")
    return next(directory.iterdir())
