"""Installs the missing packages of the distribution that a lab needs, without starting their services.

Checks for programs instead of packages: a Docker from another source is sufficient and never touched. No other package
is removed.
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
"""The services of those packages. New ones are disabled, so that they do not start at the next boot either."""

_UNIT_DIRECTORIES: Final = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
_APT: Final = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
"""The options let apt wait for its lock: after a boot, unattended upgrades may hold it for minutes."""

_LOCK: Final = Path("/var/cache/sampan/locks/install.lock")
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_SAVED: Final = Path("/usr/sbin/policy-rc.d.before-sampan")
_MARK: Final = "# Made by sampan while it installs packages: their services are not to be started."
_SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class InstallFailed(LabError):
    """A package could not be installed; the message has the end of apt's output."""


class Progress(Protocol):
    """Reports progress to a person."""

    def say(self, text: str) -> None: ...

    def step(self, name: str) -> AbstractContextManager[None]: ...


def install(progress: Progress, programs: Mapping[str, str] = FOR_A_LAB) -> None:
    """Install the packages of the missing programs. Only root may do that. Raises InstallFailed.

    `programs`: program → package. A name that begins with `/` is a file of the package.
    """
    packages = sorted({package for program, package in programs.items() if not _is_present(program)})
    if not packages:
        return
    if os.geteuid() != 0:
        raise InstallFailed(f"missing: {', '.join(packages)}; only root can install packages")
    if not shutil.which(_APT[0], path=_SEARCH):
        raise InstallFailed(f"missing: {', '.join(packages)}; this machine has no apt-get: install them by hand")
    progress.say(f"installing {', '.join(packages)} (their services are not started)")
    with progress.step("packages"), _alone(), _services_stay_down():
        command = [*_APT, "install", "-y", "--no-install-recommends", "--no-remove", *packages]
        if _call(command).returncode != 0:
            # A new machine has no package lists yet, or stale ones.
            _check(_call([*_APT, "update"]))
            _check(_call(command))


def _is_present(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=_SEARCH) is not None


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time: a second one must not remove the policy of the first."""
    with lockfile.opened(_LOCK) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Prevent packages from starting services, by Debian's policy-rc.d. An existing policy is restored afterwards."""
    _restore()
    installed = {unit for unit in _UNITS if _installed(unit)}
    if _POLICY.exists() or _POLICY.is_symlink():
        _POLICY.rename(_SAVED)
    _POLICY.write_text(f"#!/bin/sh\n{_MARK}\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _restore()
        new = [unit for unit in _UNITS if unit not in installed and _installed(unit)]
        if new and shutil.which("systemctl", path=_SEARCH):
            _call(["systemctl", "--quiet", "disable", *new])


def _installed(unit: str) -> bool:
    return any(Path(directory, unit).exists() for directory in _UNIT_DIRECTORIES)


def _restore() -> None:
    """Restore the policy, also after an interrupted installation."""
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


def _check(result: subprocess.CompletedProcess[str]) -> None:
    if result.returncode != 0:
        last = [line for line in result.stderr.splitlines() if line.strip()][-3:]
        raise InstallFailed(f"{' '.join(result.args)} failed: {' / '.join(last) or result.stdout.strip()[-300:]}")
