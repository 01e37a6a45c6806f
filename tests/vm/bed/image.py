"""The images of virtual machines: a disk, a kernel and an initial file system.

Cached disks are never written to: each machine has an overlay of its own.
"""

import shutil
from pathlib import Path
from typing import Final

from lab.layout import CACHE_ROOT
from lab.machine.recipe import Recipe
from tests.machine.bed.imagecache import ImageCache, Step
from tests.machine.bed.rootfs import call, make_tree

DISK: Final = "disk.img"
KERNEL: Final = "vmlinuz"
INITRD: Final = "initrd.img"
_FORMAT: Final = 1
"""Part of the key; to be raised when a change of the build changes the images."""
_DISK_SIZE: Final = "6G"
"""The size for the machine; the sparse file is smaller."""


def _make(recipe: Recipe, scratch: Path, step: Step) -> None:
    with step(f"virtual machine {recipe.name}: root file system"):
        make_tree(recipe, scratch / "tree")
    with step(f"virtual machine {recipe.name}: disk"):
        _make_disk(scratch)


def make_file_system(tree: Path, target: Path, size: str) -> None:
    """Make an ext4 file system with the content of a directory, as a sparse file. Raises ImageFailed."""
    call("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", str(tree), str(target), size)


def _make_disk(scratch: Path) -> None:
    """Write the disk into `made/`, and the kernel and the initial file system from the tree."""
    tree, made = scratch / "tree", scratch / "made"
    made.mkdir(mode=0o755)
    for name, pattern in ((KERNEL, "vmlinuz-*"), (INITRD, "initrd.img-*")):
        shutil.copy(next((tree / "boot").glob(pattern)), made / name)
    make_file_system(tree, made / DISK, _DISK_SIZE)


IMAGES: Final = ImageCache(CACHE_ROOT / "vms", "virtual machine", _make, (_FORMAT, _DISK_SIZE))
