"""Paths inside volumes (subPath), and volumes that are read-only with all that is mounted below (recursiveReadOnly).

Each is mounted at a place of its own that no container can change.

The engine would resolve a path inside the volume again, after our check, and follow a link that a container has put
there meanwhile. So it gets the path of a mount that was made from an open descriptor. The mounts are kept when the
agent restarts, and made again for each new instance of a container: after a reboot too, which also ends the sandbox.

Opening the path may hang with the volume. So it is a call of its own, which makes nothing in the pod's directory.

A tree of mounts, perhaps of the whole host, is kept only until its container has started and has its own copy: until
then it holds the volumes and containers of all other pods, which cannot be removed meanwhile. Trees do not contain each
other.
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

    def __str__(self) -> str:
        inside = f'subPath "{self.path}" of ' if self.path else ""
        return f'{inside}volume "{self.volume}"'


class Opened:
    """A path inside a volume that is open. Its descriptor is closed once, also if two threads try to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptors = [descriptor]

    def take(self) -> int:
        """The descriptor, which the caller closes. Raises IndexError if it was closed or taken before."""
        return self._descriptors.pop()

    def close(self) -> None:
        """Close it, unless somebody has taken it."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def open_inside(volume: Path, sub_path: SubPath) -> Opened:
    """Open the path, which is created if it is missing. Raises VolumeError."""
    try:
        root = os.open(volume, os.O_PATH | os.O_CLOEXEC)
        try:
            # A user who may write to the volume may write to its parts too.
            mode = stat.S_IMODE(os.fstat(root).st_mode)
            return Opened(beneath.open_or_make(root, sub_path.path, mode=mode))
        finally:
            os.close(root)
    except beneath.LeadsOut as error:
        raise VolumeError(f"{sub_path} leads out of it") from error
    except OSError as error:
        raise _failed(sub_path, error) from error


class SubPaths:
    """The mounts of paths inside volumes, below a directory of their pod."""

    def __init__(self, binds: Binds) -> None:
        self._binds = binds

    def mount(self, opened: Opened, sub_path: SubPath, directory: Path) -> Path:
        """Mount what was opened below the directory. Returns where. Raises VolumeError."""
        target = directory / sub_path.container / str(sub_path.index)
        descriptor = opened.take()
        try:
            if sub_path.read_only_tree:
                directory.mkdir(parents=True, exist_ok=True)
                self._binds.left_out(directory)
            self._make_target(target, is_directory=stat.S_ISDIR(os.fstat(descriptor).st_mode))
            bind = self._binds.bind_read_only if sub_path.read_only_tree else self._binds.bind
            bind(descriptor, target)
        except OSError as error:
            raise _failed(sub_path, error) from error
        finally:
            os.close(descriptor)
        return target

    def unmount(self, target: Path) -> None:
        """Unmount what is mounted at one of `targets`, or at a directory of trees. Raises VolumeError."""
        try:
            self._binds.unmount(target)
        except OSError as error:
            raise VolumeError(f"{target} cannot be unmounted: {error.strerror}") from error

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


def targets(directory: Path) -> list[Path]:
    """Where something may be mounted below the directory of a pod. Looks at none of it, as that may hang."""
    return [target for container in listed(directory) for target in listed(container)]


def listed(directory: Path) -> list[Path]:
    """What is in a directory, by its own entries; nothing if it does not exist."""
    try:
        return list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _failed(sub_path: SubPath, error: OSError) -> VolumeError:
    return VolumeError(f"{sub_path} cannot be mounted: {error.strerror}")
