"""How much of a disk is used: file systems as a whole, and trees of files within bounds.

Its calls block, also for long if a disk is slow. A tree is counted as du(1) does it: blocks instead of lengths, a file
with several links once. Nothing is followed out of the tree: no symbolic link, no other file system.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.usage.figures import Space

_BLOCK: Final = 512
"""Bytes of a block in stat(2), whatever the file system uses."""
_DEEPEST: Final = 100
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a tree, with its directories."""

    used_bytes: int
    inodes: int


class TooLarge(Exception):
    """A tree has more files or levels than a count may take, or takes too long. `counted`: the part that was."""

    def __init__(self, counted: Tree) -> None:
        super().__init__()
        self.counted = counted


def space(path: Path, at: float) -> Space | None:
    """The file system that the path is on, without the part in use; None if it cannot be asked."""
    found = whole(path, at)
    return replace(found, used_bytes=None, inodes_used=None) if found is not None else None


def whole(path: Path, at: float) -> Space | None:
    """The file system with everything that is in use on it, by all of its users; None if it cannot be asked."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Space(
        at=at,
        capacity_bytes=found.f_blocks * found.f_frsize,
        available_bytes=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
        used_bytes=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes_used=found.f_files - found.f_ffree,
    )


def tree(path: Path, *, most: int, in_time: Callable[[], bool]) -> Tree:
    """What the files below a directory use. Raises TooLarge, OSError.

    `most`: the number of files after which the count is given up; `in_time` is asked for each directory.
    """
    top = os.open(path, _FOLDER)
    try:
        status = os.fstat(top)
        count = _Count(status, most, in_time)
        count.folder(top, 0)
    finally:
        os.close(top)
    return count.tree


def files(paths: Iterable[Path]) -> Tree:
    """What single files use; one that is missing uses nothing."""
    found = []
    for path in paths:
        try:
            found.append(path.lstat())
        except OSError:
            continue
    return Tree(sum(status.st_blocks for status in found) * _BLOCK, len(found))


class _Count:
    """The count of one tree."""

    def __init__(self, top: os.stat_result, most: int, in_time: Callable[[], bool]) -> None:
        self.blocks, self.inodes = top.st_blocks, 1
        self._device = top.st_dev
        self._most = most
        self._in_time = in_time
        self._linked: set[int] = set()

    @property
    def tree(self) -> Tree:
        """What has been counted."""
        return Tree(self.blocks * _BLOCK, self.inodes)

    def folder(self, descriptor: int, depth: int) -> None:
        """Count what is in an open directory."""
        if depth > _DEEPEST or not self._in_time():
            raise TooLarge(self.tree)
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if status.st_dev == self._device and self._add(status) and stat.S_ISDIR(status.st_mode):
                    self._below(entry.name, descriptor, depth)

    def _below(self, name: str, parent: int, depth: int) -> None:
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed or replaced meanwhile
        try:
            # Something may have been mounted there since.
            if os.fstat(descriptor).st_dev == self._device:
                self.folder(descriptor, depth + 1)
        finally:
            os.close(descriptor)

    def _add(self, status: os.stat_result) -> bool:
        """Count an inode, unless it was counted by another name."""
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if status.st_ino in self._linked:
                return False
            self._linked.add(status.st_ino)
        self.blocks += status.st_blocks
        self.inodes += 1
        if self.inodes > self._most:
            raise TooLarge(self.tree)
        return True
