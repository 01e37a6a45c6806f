"""The removal of directories, which never goes across a mount: what is mounted can be the only copy of data."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from hull.mounts import mounts_below


def remove_tree(directory: Path) -> None:
    """Remove a directory and all in it. Raises OSError.

    With something mounted in it, nothing is removed, and the error (EBUSY) has the path of the mount.
    """
    mounted = mounts_below(directory.resolve())
    if mounted:
        raise OSError(errno.EBUSY, "something is mounted here, so nothing around it is removed", mounted[0])
    shutil.rmtree(directory)
