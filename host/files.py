"""Installed files: written when they differ, removed with what an interrupted command left, readable by everybody."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hull import atomicfile


def write(path: Path, text: str, *, mode: int = 0o644) -> bool:
    """Make the file contain this text; False when it did already."""
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        pass
    atomicfile.write(path, text, mode=mode)
    return True


def link(path: Path, target: str) -> bool:
    """Make the symbolic link point there, in one step; False when it did already."""
    if path.is_symlink() and str(path.readlink()) == target:
        return False
    atomicfile.link(path, target)
    return True


def remove(path: Path) -> None:
    """Remove the file or link, and the incomplete one that an interrupted command left beside it."""
    path.unlink(missing_ok=True)
    atomicfile.partial_of(path).unlink(missing_ok=True)


@contextmanager
def usual_umask() -> Iterator[None]:
    """Create files that everybody may read, whatever the administrator's umask: the master's user and everybody who
    runs `sampan` must read what is installed. Secret files are given their modes explicitly."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def let_read(path: Path, *, below: bool = False) -> None:
    """Let everybody read a file or enter a directory; `below`: and everything in it. Takes no permission away."""
    for entry in (path, *(path.rglob("*") if below else ())):
        mode = entry.lstat().st_mode
        readable = mode | 0o444 | (0o111 if stat.S_ISDIR(mode) or mode & 0o100 else 0)
        if readable != mode and not stat.S_ISLNK(mode):
            entry.chmod(stat.S_IMODE(readable))
