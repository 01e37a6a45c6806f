"""Wheels: pip fetches them against the lock's hashes, this module unpacks them (a wheel is a zip of what it installs).

Unpacking needs no pip on the host and takes a third of pip's time. It handles pure installations only: a wheel with
headers or data outside of site-packages is refused when a bundle is made. Its scripts are left out: a release has one
command.
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
_DATA: Final = re.compile(r"[^/]+\.data/.")
_SCRIPT: Final = re.compile(r"[^/]+\.data/scripts/")
"""Programs of a package. The other directories in `.data` belong outside of site-packages."""
_ENTRY: Final = re.compile(rb"^[A-Za-z0-9](?:[^\n]*\\\n)*[^\n]*\n?", re.MULTILINE)
"""One requirement of a lock, with the lines of its hashes."""


def fetch(
    lock: bytes,
    wheelhouse: Path,
    system: System,
    *,
    python: str,
    packages: Path | None = None,
    present: Sequence[Path] = (),
) -> None:
    """Bring the locked wheels for a Python (such as 3.13) into `wheelhouse`.

    `present`: wheels to copy; no index is asked for them. The others come from the package index, or from the directory
    `packages`. Raises HostError.
    """
    wheelhouse.mkdir(parents=True)
    file = wheelhouse.parent / "requirements.lock"
    file.write_bytes(_without(lock, {digest(wheel) for wheel in present}))
    where = ["--no-index", f"--find-links={packages.absolute()}"] if packages else []
    with_hashes = ["--require-hashes", "-r", str(file), "-d", str(wheelhouse)]
    options = ["download", "--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={python}"]
    system.run(*pip(wheelhouse.parent, system), *options, *where, *with_hashes)
    file.unlink()
    for wheel in present:
        shutil.copy(wheel, wheelhouse)
    for wheel in wheelhouse.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if odd := next((name for name in archive.namelist() if _DATA.match(name) and not _SCRIPT.match(name)), ""):
                raise HostError(f"{wheel.name} installs more than packages ({odd}): it cannot be unpacked")


def pip(scratch: Path, system: System) -> Sequence[str]:
    """The pip of the running Python, or a new one in an environment below `scratch`. Raises HostError."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    if not importlib.util.find_spec("ensurepip"):
        raise HostError("Python's venv module is missing: apt-get install python3-venv, or install from a bundle")
    environment = scratch / "pip"
    if not environment.is_dir():
        try:
            system.run(sys.executable, "-m", "venv", str(environment))
        except HostError as error:
            shutil.rmtree(environment, ignore_errors=True)
            raise HostError(f"{error}: apt-get install python3-venv, or install from a bundle") from error
    return (str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input")


def unpack(wheelhouse: Path, lock: bytes, packages: Path) -> None:
    """Unpack every wheel into site-packages. Raises HostError for a wheel whose hash is not in the lock."""
    for wheel in sorted(wheelhouse.glob("*.whl")):
        if digest(wheel) not in hashes(lock):
            raise HostError(f"{wheel} is not the wheel that the lock names: make the bundle again")
        unpack_one(wheel, packages)


def unpack_one(wheel: Path, packages: Path) -> None:
    """Unpack one wheel into site-packages. Raises HostError for a damaged one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages, [name for name in archive.namelist() if not _SCRIPT.match(name)])
    except zipfile.BadZipFile as error:
        raise HostError(f"{wheel} is damaged: {error}") from error


def packages_in(wheel: Path) -> list[str]:
    """The names of the wheel's top-level packages."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted({name.partition("/")[0] for name in archive.namelist() if name.endswith("/__init__.py")})


def digest(wheel: Path) -> str:
    """The file's SHA-256, as locks name it."""
    with wheel.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hashes(lock: bytes) -> frozenset[str]:
    """The SHA-256 of every file that the lock allows."""
    return frozenset(match.decode() for match in _HASH.findall(lock))


def _without(lock: bytes, digests: set[str]) -> bytes:
    """The lock without the requirements that these files meet."""
    return _ENTRY.sub(lambda entry: b"" if hashes(entry[0]) & digests else entry[0], lock)
