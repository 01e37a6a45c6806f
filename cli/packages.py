"""Installs what a lab, or the tests, need of the distribution and is missing. Services are not started.

Looks for programs, not for packages: a Docker that came from elsewhere is as good, and is never touched; nor is any
package removed to make room.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.progress import Progress
from hull import lockfile

if TYPE_CHECKING:
    from lab.machine.recipe import Recipe
    from tests.machine.bed.imagecache import ImageCache

_FOR_A_LAB: Final[Mapping[str, str]] = {
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "iptables-restore": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
"""Program → package."""

_FOR_TESTS: Final[Mapping[str, str]] = {"curl": "curl", "nft": "nftables", "sysctl": "procps"}
_FOR_MACHINES: Final[Mapping[str, str]] = {
    "debootstrap": "debootstrap",
    "docker": "docker.io",
    "vagrant": "vagrant",
}
_FOR_VMS: Final[Mapping[str, str]] = {
    "debootstrap": "debootstrap",
    "mkfs.ext4": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
_FOR_LIBVIRT: Final[Mapping[str, str]] = {
    "dnsmasq": "dnsmasq-base",
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "vagrant": "vagrant",
    # No program, but a file of it is as good.
    "/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json": "vagrant-libvirt",
}
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


class InstallFailed(Exception):
    """A package could not be installed; the message is apt's own last words."""


def install_missing(progress: Progress) -> None:
    """What `up` needs."""
    _install(progress, _FOR_A_LAB)


def install_for_tests(progress: Progress) -> None:
    """What the tests need besides."""
    _install(progress, {**_FOR_A_LAB, **_FOR_TESTS})


def install_for_machines(progress: Progress) -> None:
    """What the tests on machines need: the machines' images (minutes, once for each recipe) and the locked wheels."""
    from lab.machine.recipe import RECIPES
    from tests.machine.bed.image import IMAGES

    if os.geteuid() != 0:
        return  # those tests are skipped
    _install(progress, _FOR_MACHINES)
    _build_images(progress, IMAGES, RECIPES)
    _fetch_wheels(progress, {recipe.python for recipe in RECIPES})


def install_for_vms(progress: Progress) -> None:
    """What the tests in virtual machines need: QEMU, the machines' images, the pods' images, the locked wheels."""
    from lab.images.builder import build
    from lab.images.recipes import IMAGES as PODS_IMAGES
    from tests.vm.bed.image import IMAGES
    from tests.vm.bed.recipe import RECIPES

    if os.geteuid() != 0:
        return  # those tests are skipped
    _install(progress, {**_FOR_VMS, **_FOR_LIBVIRT})
    _build_images(progress, IMAGES, RECIPES)
    with progress.step("pods' images"):
        build(PODS_IMAGES)
    _fetch_wheels(progress, {recipe.python for recipe in RECIPES})


def _build_images(progress: Progress, images: "ImageCache", recipes: "Iterable[Recipe]") -> None:
    for recipe in recipes:
        if not images.is_built(recipe):
            progress.say(f"building the image of {images.kind} {recipe.name}: two minutes or three, once")
            images.build(recipe, progress.step)


def _fetch_wheels(progress: Progress, pythons: Iterable[str]) -> None:
    """The locked wheels for each of these versions, into the cache."""
    from host import bundle
    from host.system import Commands
    from lab.layout import CACHE_ROOT

    for python in sorted(pythons):
        bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=python, step=progress.step)


def _install(progress: Progress, programs: Mapping[str, str]) -> None:
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
