"""File systems in memory.

Each secret, each volume with a token and each `medium: Memory` volume has a tmpfs of its own, as with the kubelet:
shared by the pod's containers, never on a disk, and kept when the agent restarts.
"""

from __future__ import annotations

from pathlib import Path

from agent.volumes.errors import VolumeError
from agent.volumes.ownership import OF_GROUP
from hull import mounts


class TmpfsFiles:
    """tmpfs, by mount(2) and umount2(2): a command for each new pod would take longer than all else of its volumes."""

    def mount(self, directory: Path, *, size_bytes: int, group: int | None = None, mode: int = 0o777) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        if mounts.is_mount(directory):
            return
        options = f"mode={mode:o}" if group is None else f"mode={mode | OF_GROUP:o},gid={group}"
        options += f",size={size_bytes}" if size_bytes else ""
        try:
            mounts.in_memory(directory, options)
        except OSError as error:
            raise VolumeError(f"{directory} cannot be mounted: {error.strerror}") from error

    def unmount(self, directory: Path) -> None:
        # By the kernel's list, and lazily: a look at a directory of a server could hang, and a container that is ending
        # may still have files open.
        try:
            mounts.detach_all(directory)
        except OSError as error:
            raise VolumeError(f"{directory} cannot be unmounted: {error.strerror}") from error
