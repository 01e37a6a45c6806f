"""Opens a path below a directory that others can change meanwhile: the walk never leaves the directory.

Each part of the path is opened by itself, relative to the descriptor of the part before, and the kernel never follows
it as a link. Links are read and walked in the same way, so that they may lead to other places below the directory. So
there is no moment at which a directory that was swapped for a link could lead out. openat2(2) can do the same in the
kernel, but only since Linux 5.6.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, suppress
from typing import Final

_MOST_LINKS: Final = 40
"""As in the kernel (path_resolution(7))."""
_FLAGS: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class LeadsOut(OSError):
    """The path leads out of the directory, by `..` or by a link."""


def open_or_make(root: int, path: str, *, mode: int) -> int:
    """An O_PATH descriptor of the path below the directory `root`. Raises OSError, LeadsOut among them.

    A leading slash means the directory itself. Missing directories are made with the mode, whatever the umask is.
    """
    with ExitStack() as opened:
        return os.dup(_walk(root, path, mode, opened))


def open_path(root: int, path: str) -> int:
    """The same without making anything: a missing path is a FileNotFoundError."""
    with ExitStack() as opened:
        return os.dup(_walk(root, path, None, opened))


def _walk(root: int, path: str, mode: int | None, opened: ExitStack) -> int:
    """The descriptor, which `opened` closes. Mode None: nothing is made."""
    above, todo, links = [root], _parts(path), 0
    while todo:
        part = todo.pop()
        if part == "..":
            above.pop()
            if not above:
                raise _leads_out(path)
            continue
        here = _open_part(above[-1], part, mode)
        opened.callback(os.close, here)
        if not stat.S_ISLNK(os.fstat(here).st_mode):
            above.append(here)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        destination = os.readlink("", dir_fd=here)
        if destination.startswith("/"):
            raise _leads_out(path)
        todo += _parts(destination)
    return above[-1]


def _parts(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _open_part(directory: int, part: str, mode: int | None) -> int:
    try:
        return os.open(part, _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        if mode is None:
            raise
        # Others may make it at the same time.
        with suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=directory)
            _set_mode(directory, part, mode)
        return os.open(part, _FLAGS, dir_fd=directory)


def _set_mode(directory: int, part: str, mode: int) -> None:
    made = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.fchmod(made, mode)
    finally:
        os.close(made)


def _leads_out(path: str) -> LeadsOut:
    return LeadsOut(errno.EXDEV, os.strerror(errno.EXDEV), path)
