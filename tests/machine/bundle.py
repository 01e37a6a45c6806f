"""Bundles: this checkout's, as `sampan bundle` writes it, a newer one, and the first release's.

They are made with the wheels in the cache.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from host import bundle, bytecode
from host.system import Commands
from lab.layout import CACHE_ROOT
from lab.machine.recipe import HOST
from tests import first_release

NEWER = "99.0.0"
"""The version of the newer bundle."""


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


def make_newer(bundle: Path, directory: Path) -> None:
    """Make `directory` the same bundle with a later version number and other descriptions in its units."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(bundle, directory)
    (old,) = directory.glob("sampan-*.whl")
    new = directory / old.name.replace(old.name.split("-")[1], NEWER)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "proto/contract.py":
                content = re.sub(rb'VERSION: Final = "[^"]+"', f'VERSION: Final = "{NEWER}"'.encode(), content, count=1)
            if entry.filename == "host/services/units.py":
                content = re.sub(rb"(Description=Sampan \w+)", rb"\1 " + NEWER.encode(), content)
            target.writestr(entry.filename, content)
    old.unlink()
    for name in ("install", "bundle.json"):
        (directory / name).write_text((directory / name).read_text().replace(old.name, new.name))
    with tempfile.TemporaryDirectory(prefix="sampan-newer-") as scratch:
        bytecode.make_of_wheel(directory / "wheels", new, Path(scratch), Commands())


def of_first_release(target: Path) -> Path:
    """The first release's bundle, unpacked below `target`."""
    packages = bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=HOST.python, lock=first_release.lock())
    return first_release.bundle(target, packages, python=HOST.python)
