"""Builds what a virtual machine boots from, and keeps it in the cache: a disk, a kernel, its initial file system.

Nobody writes to a cached disk: a machine has an overlay of its own. A directory is complete or absent: built aside and
renamed.
"""

import hashlib
import json
import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from lab.environment import require_root, require_space
from lab.layout import CACHE_ROOT
from lab.machine.image import Step, call, make_tree, remove_scratch
from lab.machine.recipe import Recipe
from lab.state import exclusive

ROOT: Final = CACHE_ROOT / "vms"
DISK: Final = "disk.img"
KERNEL: Final = "vmlinuz"
INITRD: Final = "initrd.img"
_FORMAT: Final = 1
"""Part of the key: raise it when the way of building changes what comes out."""
_DISK_SIZE: Final = "6G"
"""What the machine sees; on our disk it takes what is written."""
_BYTES: Final = 3 << 30
"""The tree and the disk, while it is built."""


def directory(wanted: Recipe) -> Path:
    """Where the image of a recipe is, or will be."""
    inputs = json.dumps([_FORMAT, _DISK_SIZE, wanted.key()])
    return ROOT / f"{wanted.name}-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}"


def is_built(wanted: Recipe) -> bool:
    return directory(wanted).is_dir()


def build(wanted: Recipe, step: Step = lambda _: nullcontext()) -> Path:
    """The image's directory; built unless the cache has it, which takes minutes and the distribution's mirror.

    One command builds at a time, the others wait for it. Raises ImageFailed.
    """
    if is_built(wanted):
        return directory(wanted)
    require_root()
    ROOT.mkdir(parents=True, exist_ok=True)
    require_space(ROOT, _BYTES, "a virtual machine's image")
    with exclusive(CACHE_ROOT / "locks" / "vms.lock"):
        if not is_built(wanted):
            for path in ROOT.glob("build-*"):  # what a killed build left; nobody else builds while we hold the lock
                remove_scratch(path)
            scratch = Path(tempfile.mkdtemp(prefix="build-", dir=ROOT))
            try:
                with step(f"virtual machine {wanted.name}: root file system"):
                    make_tree(wanted, scratch / "tree")
                with step(f"virtual machine {wanted.name}: disk"):
                    _make_disk(scratch)
                (scratch / "made").rename(directory(wanted))
            finally:
                remove_scratch(scratch)
            _forget_older(wanted)
    return directory(wanted)


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


def _forget_older(wanted: Recipe) -> None:
    """Images of the same kind by older recipes: each takes a gigabyte."""
    for path in ROOT.glob(f"{wanted.name}-*"):
        if path != directory(wanted):
            shutil.rmtree(path, ignore_errors=True)
