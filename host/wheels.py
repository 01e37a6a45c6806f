"""Wheels: fetched by pip against the lock's hashes, unpacked by ourselves (a wheel is a zip of what it installs).

Unpacking needs no pip on the host and takes a third of pip's time. Only pure installations are known: wheels with
scripts, headers or data outside of site-packages are refused when a bundle is made.
"""

import hashlib
import importlib.util
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from host.errors import HostError
from host.system import System

_HASH: Final = re.compile(rb"--hash=sha256:([0-9a-f]{64})")


def fetch(lock: bytes, wheelhouse: Path, system: System, *, python: str, local: Path | None = None) -> None:
    """Bring the locked wheels for a Python (such as 3.13) into `wheelhouse`; from a directory, when `local` is one.

    Raises HostError.
    """
    wheelhouse.mkdir(parents=True)
    file = wheelhouse.parent / "requirements.lock"
    file.write_bytes(lock)
    where = ["--no-index", f"--find-links={local.absolute()}"] if local else []
    with_hashes = ["--require-hashes", "-r", str(file), "-d", str(wheelhouse)]
    options = ["download", "--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={python}"]
    system.run(*pip(wheelhouse.parent, system), *options, *where, *with_hashes)
    file.unlink()
    for wheel in wheelhouse.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if odd := next((name for name in archive.namelist() if name.partition("/")[0].endswith(".data")), ""):
                raise HostError(f"{wheel.name} installs more than packages ({odd}): it cannot be unpacked")


def pip(scratch: Path, system: System) -> Sequence[str]:
    """The pip of the Python that runs, or one in an environment of its own, made in `scratch`."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    if not importlib.util.find_spec("ensurepip"):
        raise HostError("Python's venv module is missing: apt-get install python3-venv, or install from a bundle")
    made = scratch / "pip"
    if not made.is_dir():
        try:
            system.run(sys.executable, "-m", "venv", str(made))
        except HostError as error:
            shutil.rmtree(made, ignore_errors=True)
            raise HostError(f"{error}: apt-get install python3-venv, or install from a bundle") from error
    return (str(made / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input")


def unpack(wheelhouse: Path, lock: bytes, packages: Path) -> None:
    """Unpack every wheel into site-packages. Raises HostError for one that is not as the lock has it."""
    known = {found.decode() for found in _HASH.findall(lock)}
    for wheel in sorted(wheelhouse.glob("*.whl")):
        with wheel.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() not in known:
                raise HostError(f"{wheel} is not what the lock says: make the bundle anew")
            unpack_one(wheel, packages)


def unpack_one(wheel: Path, packages: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    except zipfile.BadZipFile as error:
        raise HostError(f"{wheel} is damaged: {error}") from error
