"""Paths inside volumes (subPath), and volumes that are read-only with all that is mounted below (recursiveReadOnly).

Each is mounted at a place of its own that no container can change.

The engine would resolve a path inside the volume again, after our check, and follow a link that a container has put
there meanwhile. So it gets the path of a mount that was made from an open descriptor. The mounts are kept when the
agent restarts, and made again for each new instance of a container: after a reboot too, which also ends the sandbox.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.volumes.errors import VolumeError
from agent.volumes.interface import Binds
from hull import beneath


@dataclass(frozen=True, slots=True)
class SubPath:
    """A path inside a volume, for one mount of one container; empty: the whole volume."""

    volume: str
    path: str
    container: str
    index: int
    """The place of the mount among those of the container."""
    read_only_tree: bool = False
    """What is mounted below the path is mounted too, and all of it read-only."""


class SubPaths:
    """The mounts of paths inside volumes."""

    def __init__(self, binds: Binds) -> None:
        self._binds = binds

    def expose(self, volume: Path, sub_path: SubPath, directory: Path) -> Path:
        """Mount the path, which is created if it is missing, below the directory. Returns where. Raises VolumeError."""
        target = directory / sub_path.container / str(sub_path.index)
        try:
            descriptor = _open(volume, sub_path)
            try:
                self._make_target(target, is_directory=stat.S_ISDIR(os.fstat(descriptor).st_mode))
                bind = self._binds.bind_read_only if sub_path.read_only_tree else self._binds.bind
                bind(descriptor, target)
            finally:
                os.close(descriptor)
        except beneath.LeadsOut as error:
            raise VolumeError(f'subPath "{sub_path.path}" of volume "{sub_path.volume}" leads out of it') from error
        except OSError as error:
            what = f'subPath "{sub_path.path}" of ' if sub_path.path else ""
            text = f'{what}volume "{sub_path.volume}" cannot be mounted: {error.strerror}'
            raise VolumeError(text) from error
        return target

    def clean(self, directory: Path) -> None:
        """Unmount everything below the directory. Raises VolumeError."""
        try:
            for target in directory.glob("*/*"):
                self._binds.unmount(target)
        except OSError as error:
            raise VolumeError(f"{directory} cannot be unmounted: {error}") from error

    def _make_target(self, target: Path, *, is_directory: bool) -> None:
        """Make what is mounted at. An earlier instance of the container may have left a mount, perhaps of a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._binds.unmount(target)
        if target.is_dir():
            target.rmdir()
        else:
            target.unlink(missing_ok=True)
        if is_directory:
            target.mkdir()
        else:
            target.touch()


def _open(volume: Path, sub_path: SubPath) -> int:
    root = os.open(volume, os.O_PATH | os.O_CLOEXEC)
    try:
        # A user who may write to the volume may write to its parts too.
        return beneath.open_or_make(root, sub_path.path, mode=stat.S_IMODE(os.fstat(root).st_mode))
    finally:
        os.close(root)
