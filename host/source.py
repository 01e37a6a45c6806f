"""What is installed: this checkout, a wheel, or a bundle. All become a wheel, and perhaps the wheels that it needs.

A bundle is a directory, or the tar of one, as bundle.py writes it. A wheel of ours carries the locked versions of what
it needs (`LOCK_IN_WHEEL`).
"""

import hashlib
import importlib.util
import json
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from host import wheels
from host.errors import HostError, WrongUse
from host.system import System

LOCK_IN_WHEEL: Final = "cli/host/requirements.lock"
"""Where every release finds it, the first one too: an older command that installs a newer wheel reads it there."""
MANIFEST: Final = "bundle.json"
WHEELHOUSE: Final = "wheels"
CHECKOUT: Final = Path(__file__).resolve().parents[1]
_PACKAGES: Final = ("agent", "cli", "client", "host", "hull", "lab", "master", "netrig", "netstack", "proto")
_METADATA: Final = ("pyproject.toml", "README.md")


@dataclass(frozen=True, slots=True)
class Source:
    """A wheel of ours, and the directory with the wheels that it needs."""

    wheel: Path
    wheelhouse: Path

    @property
    def version(self) -> str:
        return version_of(self.wheel)

    @property
    def digest(self) -> str:
        """Of what is in the wheel, in hexadecimal digits; when it was packed is of no matter."""
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
    """The source that `--from` names, or this checkout; whatever was unpacked or built goes at the end."""
    with tempfile.TemporaryDirectory(prefix="sampan-install-") as scratch:
        if given is None:
            yield _fetched(build_wheel(Path(scratch), system), Path(scratch), system)
        elif given.is_dir():
            yield _of_directory(given)
        elif given.suffix == ".whl":
            if not given.is_file():
                raise WrongUse(f"--from: there is no {given}")
            yield _fetched(given.absolute(), Path(scratch), system)
        else:
            yield _of_directory(_unpacked(given, Path(scratch)))


def version_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def lock_of(wheel: Path) -> bytes:
    """The locked requirements that a wheel of ours carries, with hashes. Raises HostError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(LOCK_IN_WHEEL)
    except (KeyError, zipfile.BadZipFile) as error:
        raise HostError(f"{wheel} is no wheel that `sampan bundle` or a checkout made: {error}") from error


def in_checkout() -> bool:
    return (CHECKOUT / "pyproject.toml").is_file()


def build_wheel(target: Path, system: System) -> Path:
    """This checkout's wheel, in `target`. Raises HostError.

    Built from a copy: setuptools leaves its own files beside what it reads.
    """
    if not in_checkout():
        raise WrongUse("this is no checkout: name a wheel or a bundle with --from")
    copy = target / "checkout"
    copy.mkdir(parents=True)
    for name in _PACKAGES:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _METADATA:
        shutil.copy(CHECKOUT / name, copy / name)
    shutil.copy(CHECKOUT / "requirements.lock", copy / LOCK_IN_WHEEL)
    # A checkout that was made for its tests has what builds wheels; else pip fetches it.
    local = all(importlib.util.find_spec(name) for name in ("setuptools", "wheel"))
    isolation = ["--no-build-isolation"] if local else []
    system.run(*wheels.pip(target, system), "wheel", "--quiet", "--no-deps", *isolation, "-w", str(target), str(copy))
    shutil.rmtree(copy)
    return next(target.glob("sampan-*.whl"))


def _fetched(wheel: Path, scratch: Path, system: System) -> Source:
    """With what it needs, from the package index."""
    wheelhouse = scratch / WHEELHOUSE
    wheels.fetch(lock_of(wheel), wheelhouse, system, python=python_version())
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
    found = next(scratch.glob(f"*/{MANIFEST}"), None)
    if found is None:
        raise HostError(f"{given} is no bundle: it has no {MANIFEST}")
    return found.parent


def _of_directory(directory: Path) -> Source:
    """The bundle in a directory, when it is for this Python and machine. Raises HostError."""
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text())
        wheel, python, machine = manifest["wheel"], manifest["python"], manifest["machine"]
    except (OSError, ValueError, KeyError) as error:
        raise HostError(f"{directory} is no bundle: {MANIFEST}: {error}") from error
    here = python_version(), machine_name()
    if here != (python, machine):
        raise HostError(
            f"the bundle is for Python {python} on {machine}, this host has {' on '.join(here)}: "
            f"make one with `sampan bundle --python {here[0]}`"
        )
    return Source((directory / str(wheel)).absolute(), (directory / WHEELHOUSE).absolute())


def python_version() -> str:
    """Of the Python that runs, which is the one that is installed for."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def machine_name() -> str:
    return platform.machine()
