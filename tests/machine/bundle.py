"""This checkout's bundle, as `sampan bundle` writes it, and the first release's, made with the wheels in the cache."""

from __future__ import annotations

import tarfile
from pathlib import Path

from host import bundle
from host.system import Commands
from lab.layout import CACHE_ROOT
from lab.machine.recipe import HOST
from tests import first_release


def bundled(target: Path) -> Path:
    """The bundle of this checkout as a file."""
    packages = bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python)
    return bundle.make(target, Commands(), python=HOST.python, packages=packages)


def unpacked(file: Path) -> Path:
    """Unpack a bundle beside its file; its directory."""
    directory = file.with_suffix("")
    with tarfile.open(file) as archive:
        archive.extractall(directory, filter="data")
    return next(directory.iterdir())


def of_first_release(target: Path) -> Path:
    """The first release's bundle, unpacked below `target`."""
    packages = bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python, lock=first_release.lock())
    return first_release.bundle(target, packages, python=HOST.python)
