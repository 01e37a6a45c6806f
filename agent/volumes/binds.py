"""Bind mounts, by mount(2): mount(8) would resolve the path of a descriptor by itself."""

from __future__ import annotations

from pathlib import Path

from hull import mounts


class KernelBinds:
    """Bind mounts in this mount namespace, which the container engine must share."""

    def bind(self, descriptor: int, target: Path) -> None:
        mounts.bind(descriptor, target)

    def bind_read_only(self, descriptor: int, target: Path) -> None:
        mounts.bind_read_only(descriptor, target)

    def bind_files(self, descriptor: int, target: Path) -> None:
        mounts.bind(descriptor, target)
        mounts.restrict(target)

    def left_out(self, directory: Path) -> None:
        mounts.left_out(directory)

    def unmount(self, target: Path) -> None:
        mounts.detach_all(target)
