"""Installs packages of the distribution that a lab needs and that are missing. Their services are not started.

Looks for programs, not for packages: a Docker from another source does as well and is never touched, and no package is
removed to make room.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from hull import lockfile
from lab.errors import LabError

FOR_A_LAB: Final[Mapping[str, str]] = {
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "iptables-restore": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
"""Program → package."""

_UNITS: Final = ("docker.service", "docker.socket", "containerd.service", "docker-registry.service")
"""Services of those packages. A machine that had none is not to get them at its next boot either."""

_UNIT_DIRECTORIES: Final = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
_APT: Final = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
"""Waits for another apt: on a machine that was just started, unattended upgrades hold its lock for minutes."""

_LOCK: Final = Path("/var/cache/sampan/locks/install.lock")
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_SAVED: Final = Path("/usr/sbin/policy-rc.d.before-sampan")
_MARK: Final = "# Made by sampan while it installs packages: their services are not to be started."
_SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class InstallFailed(LabError):
    """A package could not be installed; the message has the end of apt's output."""


class Progress(Protocol):
    """Shows what is going on."""

    def say(self, text: str) -> None: ...

    def step(self, name: str) -> AbstractContextManager[None]: ...


def install(progress: Progress, programs: Mapping[str, str] = FOR_A_LAB) -> None:
    """Install the packages of the programs that are missing; root only. Raises InstallFailed.

    `programs`: program → package. A name that begins with `/` is a file that the package brings.
    """
    packages = sorted({package for program, package in programs.items() if not _there(program)})
    if not packages:
        return
    if os.geteuid() != 0:
        raise InstallFailed(f"missing: {', '.join(packages)}; only root can install packages")
    if not shutil.which(_APT[0], path=_SEARCH):
        raise InstallFailed(f"missing: {', '.join(packages)}; there is no apt-get here: install them by hand")
    progress.say(f"installing {', '.join(packages)} (their services are not started)")
    with progress.step("packages"), _alone(), _services_stay_down():
        command = [*_APT, "install", "-y", "--no-install-recommends", "--no-remove", *packages]
        if _call(command).returncode != 0:
            # A fresh machine has no package lists yet, or stale ones.
            _must(_call([*_APT, "update"]))
            _must(_call(command))


def _there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=_SEARCH) is not None


@contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once must not take each other's policy away; the second finds everything installed."""
    with lockfile.opened(_LOCK) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian's own way: packages ask policy-rc.d before they start a service. What was there comes back."""
    _restore()
    there = {unit for unit in _UNITS if _installed(unit)}
    if _POLICY.exists() or _POLICY.is_symlink():
        _POLICY.rename(_SAVED)
    _POLICY.write_text(f"#!/bin/sh\n{_MARK}\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _restore()
        new = [unit for unit in _UNITS if unit not in there and _installed(unit)]
        if new and shutil.which("systemctl", path=_SEARCH):
            _call(["systemctl", "--quiet", "disable", *new])


def _installed(unit: str) -> bool:
    return any(Path(directory, unit).exists() for directory in _UNIT_DIRECTORIES)


def _restore() -> None:
    """Also what an interrupted installation left."""
    try:
        if _MARK in _POLICY.read_text(errors="replace"):
            _POLICY.unlink()
    except FileNotFoundError:
        pass
    if _SAVED.exists() or _SAVED.is_symlink():
        _SAVED.rename(_POLICY)


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": _SEARCH}
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-3:]
        raise InstallFailed(f"{' '.join(done.args)} failed: {' / '.join(last) or done.stdout.strip()[-300:]}")
