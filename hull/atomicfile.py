"""Files that are whole or not there: written beside their place, flushed, renamed, flushed again.

One rule for all files that must survive a power cut: the content reaches the disk before the name does (fsync(2) of the
file), and the name before anybody relies on it (fsync(2) of the directory). Only a file that its owner can make again
from other sources, or that means nothing after a reboot, is written with `durable=False`: whole for every reader, but
not flushed. A write that fails leaves nothing beside the file. Writers of one file take turns by a lock of their own;
of two writers without a lock, the first one fails. Readers need none.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(path: Path, content: str | bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the file as a whole; text is UTF-8. `mode` is the file's, whatever the umask. Raises OSError."""
    with opened(path, mode=mode, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def opened(
    path: Path, *, mode: int = 0o600, owner: tuple[int, int] | None = None, durable: bool = True
) -> Iterator[IO[bytes]]:
    """A file to write into, which takes its place when the block ends without an error. Raises OSError.

    `owner`: user and group ids. Nobody but this user may read the file before it is complete.
    """
    partial = partial_of(path)
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, _FLAGS, 0o600)
    own = os.fstat(descriptor)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
            if not _is_still(partial, own):  # a second writer has removed it; its own is not complete yet
                raise OSError(errno.EBUSY, "another process writes this file too", str(path))
        partial.replace(path)
    except BaseException:
        # A full disk needs the room, and the content may be a key.
        if _is_still(partial, own):
            partial.unlink()
        raise
    if durable:
        flush(path.parent)


def _is_still(path: Path, own: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), own)
    except FileNotFoundError:
        return False


def link(path: Path, target: str) -> None:
    """Make the symbolic link point to `target`, in one step. Raises OSError."""
    partial = partial_of(path)
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Bring a file, or a directory's entries, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # directories of some shared file systems cannot be flushed, such as vboxsf
            raise
    finally:
        os.close(descriptor)


def partial_of(path: Path) -> Path:
    """Where the new content is until it is complete: what a killed writer leaves, and the next one removes."""
    return path.with_name(f".{path.name}.new")
