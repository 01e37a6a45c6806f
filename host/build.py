"""Builds the wheels of this checkout with setuptools.

There are three, each with a pyproject.toml: `sampan-netstack` (netstack, netrig and hull), `pytest-sampan` (the entry
point of the pytest plugin) and `sampan` (everything else). The other two depend on `sampan-netstack` of their own
version. Needs no network where setuptools is installed. The same files and the same setuptools give the same bytes,
because the digest of a release depends on them.
"""

import importlib.metadata
import re
import shutil
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from host import completions, wheels
from host.errors import HostError, WrongUse
from host.system import System

NETSTACK: Final = "sampan-netstack"
PLUGIN: Final = "pytest-sampan"
SAMPAN: Final = "sampan"
PROJECTS: Final[Mapping[str, str]] = {
    NETSTACK: "packaging/sampan-netstack",
    PLUGIN: "packaging/pytest-sampan",
    SAMPAN: ".",
}
"""Where in the checkout the pyproject.toml of each wheel is."""

CHECKOUT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = "requirements.lock"
LOCK_IN_WHEEL: Final = "cli/host/requirements.lock"
"""The lock's path in the wheel `sampan`. The first release looks for it there when it installs a newer wheel."""
_FILES: Final = ("pyproject.toml", "README.md", "LICENSE")
_VERSION: Final = re.compile(r'^VERSION: Final = "([^"]+)"', re.MULTILINE)
OLDEST_SETUPTOOLS: Final = 77
"""The first version that can build the wheels; the pyproject.toml files name it too."""
_SETUPTOOLS: Final = """
import os, sys
os.chdir(sys.argv[1])
from setuptools.build_meta import build_wheel
build_wheel(sys.argv[2])
"""
_COMPLETIONS: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
from cli.completion import scripts
print(json.dumps(scripts(), indent=1, sort_keys=True))
"""
_MODE: Final = 0o100644 << 16
"""The mode of every file in a wheel: a regular file that all users may read."""


def in_checkout() -> bool:
    """Whether this code runs from a checkout, and not from an installed release or a wheel."""
    return (CHECKOUT / "pyproject.toml").is_file()


def file_prefix(name: str) -> str:
    """How the file name of a wheel begins."""
    return f"{name.replace('-', '_')}-"


def build(target: Path, system: System, *, plugin: bool = False) -> Mapping[str, Path]:
    """Build `sampan-netstack` and `sampan`, and with `plugin` also `pytest-sampan`, in `target`; name → file.

    Raises HostError. Builds from a copy, as setuptools leaves files of its own beside what it reads.
    """
    if not in_checkout():
        raise WrongUse("this is not a checkout: name a wheel or a bundle with --from")
    copy = target / "checkout"
    _copy(copy)
    version = _version()
    built = _build_some((NETSTACK,), copy, target, system)
    for name in (PLUGIN, SAMPAN):
        _pin(copy / PROJECTS[name] / "pyproject.toml", version)
    lock = (CHECKOUT / LOCK).read_bytes() + _locked(built[NETSTACK], version)
    (copy / LOCK_IN_WHEEL).write_bytes(lock)
    _write_completions(copy, system)
    built |= _build_some((PLUGIN, SAMPAN) if plugin else (SAMPAN,), copy, target, system)
    shutil.rmtree(copy)
    return built


def _copy(target: Path) -> None:
    target.mkdir(parents=True)
    for directory in (*_packages(), CHECKOUT / "packaging"):
        shutil.copytree(directory, target / directory.name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    for name in _FILES:
        shutil.copy(CHECKOUT / name, target / name)


def _packages() -> Iterator[Path]:
    """The top-level packages that the wheels contain."""
    for project in PROJECTS.values():
        settings: dict[str, Any] = tomllib.loads((CHECKOUT / project / "pyproject.toml").read_text())
        packages = settings["tool"]["setuptools"]["packages"]
        if isinstance(packages, dict):  # a list names what lies beside the pyproject.toml
            yield from (CHECKOUT / name for name in packages["find"]["include"] if "." not in name)


def _version() -> str:
    found = _VERSION.search((CHECKOUT / "proto/contract.py").read_text())
    if found is None:
        raise HostError("proto/contract.py has no VERSION")
    return found[1]


def _pin(pyproject: Path, version: str) -> None:
    """Have a wheel depend on `sampan-netstack` of its own version."""
    pyproject.write_text(pyproject.read_text().replace(f'"{NETSTACK}"', f'"{NETSTACK}=={version}"'))


def _locked(wheel: Path, version: str) -> bytes:
    """The entry of the lock for `sampan-netstack`, in pip's format."""
    return f"{NETSTACK}=={version} \\\n    --hash=sha256:{wheels.digest(wheel)}\n".encode()


def _write_completions(copy: Path, system: System) -> None:
    """Generated from the copy, where the command has no tests beside it and offers what an installed one does."""
    scripts = system.run(sys.executable, "-I", "-B", "-c", _COMPLETIONS, str(copy))
    (copy / "host" / completions.FILE).write_text(scripts)


def _build_some(names: tuple[str, ...], copy: Path, target: Path, system: System) -> dict[str, Path]:
    projects = [str(copy / PROJECTS[name]) for name in names]
    if _has_setuptools():
        for project in projects:
            system.run(sys.executable, "-I", "-c", _SETUPTOOLS, project, str(target.absolute()))
    else:  # pip fetches it
        system.run(*wheels.pip(target, system), "wheel", "--quiet", "--no-deps", "-w", str(target), *projects)
    built = {name: next(target.glob(f"{file_prefix(name)}*.whl")) for name in names}
    for wheel in built.values():
        _pack_again(wheel)
    return built


def _has_setuptools() -> bool:
    """Whether the running Python has it, as the environment for the tests does."""
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= OLDEST_SETUPTOOLS
    except ModuleNotFoundError:
        return False


def _pack_again(wheel: Path) -> None:
    """Leave out what differs between two builds of the same files: order, times, the umask, and zlib's output."""
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist(), key=lambda name: (".dist-info/" in name, name))
        content = {name: archive.read(name) for name in names}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, where the time of zip files begins
            entry.external_attr = _MODE
            archive.writestr(entry, data)
