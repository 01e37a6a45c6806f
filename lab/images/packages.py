"""Debian packages as files: downloaded by apt, unpacked by dpkg, installed never."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.environment import clean_environment
from lab.errors import ImageFailed

_TIMEOUT_S = 300.0


def download(packages: Iterable[str], directory: Path) -> list[Path]:
    """Bring the packages' files into `directory`; what is there already is not fetched again.

    Package lists are renewed only when apt does not know a package, as on a machine that was just installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wanted = sorted(set(packages))
    missing = [name for name in wanted if not _files(directory, name)]
    if missing:
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *missing]
        if _run(command, directory).returncode != 0:
            _check(_run(["apt-get", "update", "-q"], directory), "apt-get update")
            _check(_run(command, directory), f"apt-get download {' '.join(missing)}")
    return [_newest(directory, name) for name in wanted]


def unpack(archives: Sequence[Path], root: Path) -> None:
    """Unpack into one tree, as if all were installed; no script of theirs runs."""
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        _check(_run(["dpkg", "-x", str(archive), str(root)], root), f"unpacking {archive.name}")


def _files(directory: Path, name: str) -> list[Path]:
    return list(directory.glob(f"{name}_*.deb"))


def _newest(directory: Path, name: str) -> Path:
    found = _files(directory, name)
    if not found:
        raise ImageFailed(f"apt-get downloaded no file for the package {name}")
    return max(found, key=lambda path: path.stat().st_mtime)


def _run(command: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DEBIAN_FRONTEND="noninteractive")
    try:
        return subprocess.run(
            command, check=False, cwd=directory, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageFailed(f"{command[0]}: {error}") from error


def _check(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode != 0:
        raise ImageFailed(f"{what} failed: {done.stderr.strip() or done.stdout.strip()}")
