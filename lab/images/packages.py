"""Debian packages as files: downloaded by apt and unpacked by dpkg, but never installed."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.environment import clean_environment
from lab.errors import ImageFailed

_TIMEOUT_S = 300.0


def download(packages: Iterable[str], directory: Path) -> list[Path]:
    """Download the packages that `directory` lacks; the files of all of them. Raises ImageFailed.

    Package lists are updated only if a download fails, as on a machine that was just installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    names = sorted(set(packages))
    missing = [name for name in names if not _files(directory, name)]
    if missing:
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *missing]
        if _run(command, directory).returncode != 0:
            _check(_run(["apt-get", "update", "-q"], directory), "apt-get update")
            _check(_run(command, directory), f"apt-get download {' '.join(missing)}")
    return [_newest(directory, name) for name in names]


def unpack(archives: Sequence[Path], root: Path) -> None:
    """Unpack all into one tree, without running their scripts."""
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        _check(_run(["dpkg", "-x", str(archive), str(root)], root), f"unpacking {archive.name}")


def _files(directory: Path, name: str) -> list[Path]:
    return list(directory.glob(f"{name}_*.deb"))


def _newest(directory: Path, name: str) -> Path:
    files = _files(directory, name)
    if not files:
        raise ImageFailed(f"apt-get downloaded no file for the package {name}")
    return max(files, key=lambda path: path.stat().st_mtime)


def _run(command: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(DEBIAN_FRONTEND="noninteractive")
    try:
        return subprocess.run(
            command, check=False, cwd=directory, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageFailed(f"{command[0]}: {error}") from error


def _check(result: subprocess.CompletedProcess[str], action: str) -> None:
    if result.returncode != 0:
        raise ImageFailed(f"{action} failed: {result.stderr.strip() or result.stdout.strip()}")
