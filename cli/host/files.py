"""Files that are whole or not there: written aside, flushed, renamed."""

import os
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o644) -> bool:
    """Make the file say this; False when it did already."""
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        pass
    aside = _aside(path)
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as handle:
        os.fchmod(descriptor, mode)
        handle.write(text)
        handle.flush()
        os.fsync(descriptor)
    aside.replace(path)
    _flush(path.parent)
    return True


def link(path: Path, target: str) -> bool:
    """Make the symbolic link point there, in one step; False when it did already."""
    if path.is_symlink() and str(path.readlink()) == target:
        return False
    aside = _aside(path)
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(path)
    _flush(path.parent)
    return True


def remove(path: Path) -> None:
    """Remove the file or link, and what an interrupted command had written aside."""
    path.unlink(missing_ok=True)
    _aside(path).unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
