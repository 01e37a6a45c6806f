"""The group that owns a pod's volumes (fsGroup): ownership and modes, by the kubelet's rules.

For what the agent makes itself, and for local volumes of claims. Host paths belong to the node and stay as they are, as
in Kubernetes.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_ID: Final = (1 << 31) - 1
"""The largest id of a user that Kubernetes allows."""
READABLE: Final = 0o440
"""What the owner and the group may at least do with a file of a read-only volume."""
WRITABLE: Final = 0o660
"""The same for a writable volume."""
_OF_DIRECTORY: Final = 0o110 | stat.S_ISGID
"""What a directory needs besides: search, and that its group is passed on to what is created in it."""
OF_GROUP: Final = WRITABLE | _OF_DIRECTORY
"""What a writable directory of the group has at least."""
_DEEPEST: Final = 100
"""Levels of directories. Each needs an open file."""
_ENTRY: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_LOG = logging.getLogger(__name__)


def give_to(path: Path, group: int, least: int) -> None:
    """Give a file or directory to the group, with at least the permissions `least`. Raises OSError.

    What is created in such a directory belongs to the group too (setgid).
    """
    os.chown(path, -1, group, follow_symlinks=False)
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return
    # After chown, which clears the setgid bit.
    path.chmod(stat.S_IMODE(mode) | _needed(mode, least))


class Stopped(Exception):
    """A change of a tree was given up."""


class TooDeep(OSError):
    """A tree has more levels of directories than are changed."""


def give_tree(top: Path, group: int, *, on_mismatch: bool, goes_on: Callable[[], bool]) -> None:
    """Give a directory and all in it to the group. Raises OSError if it cannot be read; TooDeep is one. May take long.

    `on_mismatch`: only if the directory itself is not the group's yet. It is changed last, so that a change that was
    interrupted is begun again. `goes_on` is asked for each file, and ends the work by Stopped. Others may use the tree
    meanwhile: no link is followed, and as with the kubelet, a file that cannot be changed stays as it is.
    """
    directory = os.open(top, _FOLDER)
    try:
        status = os.fstat(directory)
        if on_mismatch and status.st_gid == group and not _missing(status):
            return
        change = _Change(group, goes_on)
        change.below(directory, 1)
        change.give(directory, status)
    finally:
        os.close(directory)
    if change.problem:
        _LOG.warning("%s: not everything could be given to group %d: %s", top, group, change.problem)


class _Change:
    """The change of one tree. `problem`: the first that occurred."""

    def __init__(self, group: int, goes_on: Callable[[], bool]) -> None:
        self._group = group
        self._goes_on = goes_on
        self.problem = ""

    def below(self, directory: int, depth: int) -> None:
        """Give everything in an open directory to the group."""
        if depth > _DEEPEST:
            raise TooDeep(f"it has more than {_DEEPEST} levels of directories")
        for name in os.listdir(directory):
            if not self._goes_on():
                raise Stopped
            try:
                entry = os.open(name, _ENTRY, dir_fd=directory)
            except FileNotFoundError:
                continue
            try:
                status = os.fstat(entry)
                inner = os.open(name, _FOLDER, dir_fd=directory) if stat.S_ISDIR(status.st_mode) else None
                if inner is None:
                    self.give(entry, status)
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed or replaced meanwhile
            finally:
                os.close(entry)
            if inner is not None:
                self._folder(inner, depth)

    def give(self, descriptor: int, status: os.stat_result) -> None:
        """Give one file to the group, by its descriptor: its path may lead to another one by now."""
        path = Path(f"/proc/self/fd/{descriptor}")
        mode, missing = stat.S_IMODE(status.st_mode), _missing(status)
        try:
            if status.st_gid != self._group:
                os.chown(path, -1, self._group)
            if not stat.S_ISLNK(status.st_mode) and (missing or status.st_gid != self._group):
                path.chmod(mode | missing)  # after chown, which clears bits
        except OSError as error:
            self.problem = self.problem or f"{path.readlink()}: {error.strerror}"

    def _folder(self, directory: int, depth: int) -> None:
        try:
            self.below(directory, depth + 1)
            self.give(directory, os.fstat(directory))
        finally:
            os.close(directory)


def _missing(status: os.stat_result) -> int:
    """The permissions and bits that a file of a writable volume lacks."""
    return _needed(status.st_mode, WRITABLE) & ~stat.S_IMODE(status.st_mode)


def _needed(mode: int, least: int) -> int:
    """The permissions and bits that a file or directory of the group needs."""
    return least | _OF_DIRECTORY if stat.S_ISDIR(mode) else least
