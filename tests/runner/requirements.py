"""Installs what the tiers need on this machine: packages of the distribution, machines' images, locked wheels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cli.progress import Progress
from host import bundle
from host.system import Commands
from lab.distribution import FOR_A_LAB, install
from lab.layout import CACHE_ROOT
from lab.machine.recipe import RECIPES, Recipe
from tests.machine.bed.image import IMAGES
from tests.machine.bed.imagecache import ImageCache

_TESTS: Final[Mapping[str, str]] = {**FOR_A_LAB, "curl": "curl", "nft": "nftables", "sysctl": "procps"}
_SHELLS: Final[Mapping[str, str]] = {"fish": "fish", "zsh": "zsh"}
"""Tests of the completion scripts run them."""
_MACHINES: Final[Mapping[str, str]] = {"debootstrap": "debootstrap", "docker": "docker.io", "vagrant": "vagrant"}
VMS: Final[Mapping[str, str]] = {
    "debootstrap": "debootstrap",
    "mkfs.ext4": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
LIBVIRT: Final[Mapping[str, str]] = {
    "dnsmasq": "dnsmasq-base",
    "libvirtd": "libvirt-daemon",
    "virsh": "libvirt-clients",
    "vagrant": "vagrant",
    # The package has no program, so this checks for one of its files.
    "/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json": "vagrant-libvirt",
}


def install_for(paths: Sequence[str], progress: Progress) -> None:
    """Install what the tests below these paths need, such as `tests/machine`.

    Without root nothing is installed for machines, because their tests are skipped.
    """
    if _any(paths, "tests/kernel", "tests/examples", "tests/cluster", "tests/machine"):
        install(progress, _TESTS)
    if _any(paths, "tests/service") and os.geteuid() == 0:
        install(progress, _SHELLS)
    if _any(paths, "tests/machine") and os.geteuid() == 0:
        install(progress, _MACHINES)
        _build_images(progress, IMAGES, RECIPES)
        _fetch_wheels(progress, RECIPES)
    if _any(paths, "tests/vm") and os.geteuid() == 0:
        _install_for_vms(progress)


def _install_for_vms(progress: Progress) -> None:
    from lab.images.builder import build
    from lab.images.recipes import IMAGES as POD_IMAGES
    from tests.vm.bed.image import IMAGES
    from tests.vm.bed.recipe import RECIPES

    install(progress, {**VMS, **LIBVIRT})
    _build_images(progress, IMAGES, RECIPES)
    with progress.step("pods' images"):
        build(POD_IMAGES)
    _fetch_wheels(progress, RECIPES)


def _any(paths: Sequence[str], *tiers: str) -> bool:
    return any(path.startswith(tiers) for path in paths)


def _build_images(progress: Progress, images: ImageCache, recipes: Iterable[Recipe]) -> None:
    for recipe in recipes:
        if not images.is_built(recipe):
            progress.say(f"building the image of {images.kind} {recipe.name}: two or three minutes, once")
            images.build(recipe, progress.step)


def _fetch_wheels(progress: Progress, recipes: Iterable[Recipe]) -> None:
    """The locked wheels for the recipes' versions of Python, into the cache."""
    for python in sorted({recipe.python for recipe in recipes}):
        bundle.cached_packages(CACHE_ROOT / "wheels", Commands(), python=python, step=progress.step)
