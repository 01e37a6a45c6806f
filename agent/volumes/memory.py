"""File systems in memory, mounted by the system's command.

Each secret and each `medium: Memory` volume has a tmpfs of its own, as with the kubelet: shared by the pod's
containers, never on a disk, and kept when the agent restarts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from agent.volumes.errors import VolumeError
from hull import mounts


class TmpfsFiles:
    """tmpfs, by mount(8) and umount2(2)."""

    def mount(self, directory: Path, *, size_bytes: int, group: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        if mounts.is_mount(directory):
            return
        options = "mode=0777" if group is None else f"mode=2777,gid={group}"
        options += f",size={size_bytes}" if size_bytes else ""
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory))

    def unmount(self, directory: Path) -> None:
        # By the kernel's list, and lazily: a look at a directory of a server could hang, and a container that is ending
        # may still have files open.
        while mounts.is_mount(directory):
            try:
                mounts.detach(directory)
            except OSError as error:
                raise VolumeError(f"{directory} cannot be unmounted: {error}") from error


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    except subprocess.CalledProcessError as error:
        raise VolumeError(f"{command[0]} {command[-1]}: {error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VolumeError(f"{command[0]} {command[-1]}: {error}") from error
