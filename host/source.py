"""The source of an installation: this checkout, a wheel, or a bundle. Each becomes the wheel `sampan` and the wheels
that it needs.

A bundle is a directory, or the tar of one, as bundle.py writes it. The wheel `sampan` carries the locked versions of
what it needs (`LOCK_IN_WHEEL`).
"""

import hashlib
import json
import platform
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from host import build, wheels
from host.build import LOCK_IN_WHEEL, NETSTACK
from host.errors import HostError, WrongUse
from host.system import System

MANIFEST: Final = "bundle.json"
WHEELHOUSE: Final = "wheels"


@dataclass(frozen=True, slots=True)
class Source:
    """The wheel `sampan`, and the directory with the wheels that it needs."""

    wheel: Path
    wheelhouse: Path

    @property
    def version(self) -> str:
        return version_of(self.wheel)

    @property
    def digest(self) -> str:
        """A hash of the wheel's contents, in hexadecimal digits. The time of packing does not change it."""
        summary = hashlib.sha256()
        with zipfile.ZipFile(self.wheel) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                summary.update(f"{entry.filename} {entry.CRC} {entry.file_size}\n".encode())
        return summary.hexdigest()

    def lock(self) -> bytes:
        """The locked requirements, with hashes. Raises HostError."""
        return lock_of(self.wheel)


@contextmanager
def opened(given: Path | None, system: System) -> Iterator[Source]:
    """The source that `--from` names, or else this checkout; its scratch files are removed at the end.

    Raises HostError.
    """
    with tempfile.TemporaryDirectory(prefix="sampan-install-") as scratch:
        if given is None:
            built = build.build(Path(scratch), system)
            yield _fetched(built[build.SAMPAN], [built[NETSTACK]], Path(scratch), system)
        elif given.is_dir():
            yield _of_directory(given)
        elif given.suffix == ".whl":
            if not given.is_file():
                raise WrongUse(f"--from: there is no {given}")
            yield _fetched(given.absolute(), _beside(given), Path(scratch), system)
        else:
            yield _of_directory(_unpacked(given, Path(scratch)))


def version_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def lock_of(wheel: Path) -> bytes:
    """The locked requirements that the wheel `sampan` carries, with hashes. Raises HostError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(LOCK_IN_WHEEL)
    except (KeyError, zipfile.BadZipFile) as error:
        raise HostError(f"{wheel} was not made by `sampan build`, `sampan bundle` or a checkout: {error}") from error


def _beside(wheel: Path) -> Sequence[Path]:
    """The wheel `sampan-netstack` beside this wheel, or where a bundle has it.

    Empty: the package index may have it, or the wheel is of the first release, which needs none. Raises HostError if
    the wheel is of another build.
    """
    lock = lock_of(wheel)
    if f"{NETSTACK}==".encode() not in lock:
        return []
    directories = (wheel.parent, wheel.parent / WHEELHOUSE)
    candidates = [path for each in directories for path in sorted(each.glob(f"{build.file_prefix(NETSTACK)}*.whl"))]
    matches = [path for path in candidates if wheels.digest(path) in wheels.hashes(lock)]
    others = [path for path in candidates if version_of(path) == version_of(wheel)]
    if others and not matches:
        raise HostError(f"{others[0]} and {wheel} are of two builds: take both from the same one")
    return matches[:1]


def _fetched(wheel: Path, present: Sequence[Path], scratch: Path, system: System) -> Source:
    """The wheel with what it needs: `present`, and the rest from the package index."""
    wheelhouse = scratch / WHEELHOUSE
    wheels.fetch(lock_of(wheel), wheelhouse, system, python=python_version(), present=present)
    return Source(wheel, wheelhouse)


def _unpacked(given: Path, scratch: Path) -> Path:
    try:
        with tarfile.open(given) as archive:
            archive.extractall(scratch, filter="data")
    except FileNotFoundError as error:
        raise WrongUse(f"--from: there is no {given}") from error
    except tarfile.TarError as error:
        raise HostError(f"{given} is neither a wheel nor a bundle: {error}") from error
    except OSError as error:
        raise HostError(f"{given} cannot be unpacked below {scratch}: {error.strerror}") from error
    manifest = next(scratch.glob(f"*/{MANIFEST}"), None)
    if manifest is None:
        raise HostError(f"{given} is not a bundle: it has no {MANIFEST}")
    return manifest.parent


def _of_directory(directory: Path) -> Source:
    """The bundle in a directory. Raises HostError when it is for another Python or machine."""
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text())
        wheel, python, machine = manifest["wheel"], manifest["python"], manifest["machine"]
    except (OSError, ValueError, KeyError) as error:
        raise HostError(f"{directory} is not a bundle: {MANIFEST}: {error}") from error
    host = python_version(), machine_name()
    if host != (python, machine):
        raise HostError(
            f"the bundle is for Python {python} on {machine}, this host has {' on '.join(host)}: "
            f"make one with `sampan bundle --python {host[0]}`"
        )
    return Source((directory / str(wheel)).absolute(), (directory / WHEELHOUSE).absolute())


def python_version() -> str:
    """The version of the running Python, as 3.13; a release is installed for the same one."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def machine_name() -> str:
    return platform.machine()
