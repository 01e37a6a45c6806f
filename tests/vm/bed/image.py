"""The virtual machines' images: what one boots from, which is a disk, a kernel and its initial file system.

Nobody writes to a cached disk: a machine has an overlay of its own.
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
"""Of what comes out: raise it when the way of building changes that."""
_DISK_SIZE: Final = "6G"
"""What the machine sees; on our disk it takes what is written."""


def _make(wanted: Recipe, scratch: Path, step: Step) -> None:
    with step(f"virtual machine {wanted.name}: root file system"):
        make_tree(wanted, scratch / "tree")
    with step(f"virtual machine {wanted.name}: disk"):
        _make_disk(scratch)


def make_file_system(tree: Path, target: Path, size: str) -> None:
    """An ext4 file system with the content of a directory, as a sparse file. Raises ImageFailed."""
    call("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", str(tree), str(target), size)


def _make_disk(scratch: Path) -> None:
    """Leave `made/` with the disk and, out of the tree, what boots it."""
    tree, made = scratch / "tree", scratch / "made"
    made.mkdir(mode=0o755)
    for name, pattern in ((KERNEL, "vmlinuz-*"), (INITRD, "initrd.img-*")):
        shutil.copy(next((tree / "boot").glob(pattern)), made / name)
    make_file_system(tree, made / DISK, _DISK_SIZE)


IMAGES: Final = ImageCache(CACHE_ROOT / "vms", "virtual machine", _make, (_FORMAT, _DISK_SIZE))
