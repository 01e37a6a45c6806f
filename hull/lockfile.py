"""Lock files. Only the owner may open one, because whatever can read a file can hold its lock."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hull.errors import Busy

_READ_ONLY: Final = frozenset({errno.EROFS, errno.EPERM})


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The file's descriptor, for flock(2) or lockf(3); makes the file and its directory. Raises OSError.

    A symbolic link is refused: through it another file would be created, or closed to its readers. On a disk that has
    become read-only, a file that exists is opened for reading, which is enough for flock(2).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _READ_ONLY or not path.exists():
            raise
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            # Earlier releases made it readable for everybody.
            os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def taken(descriptor: int) -> bool:
    """Take the lock of an open file, until the file is closed; False when another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: Path, *, busy: str = "") -> Iterator[None]:
    """Hold the file's lock; wait for it, or raise Busy with the text `busy` when that is given. Raises OSError.

    The lock ends with this process in any case. Its holder may remove the file: a waiter then takes the new file.
    """
    while True:
        with opened(path) as descriptor:
            if not busy:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            elif not taken(descriptor):
                raise Busy(busy)
            if _is_still(path, descriptor):
                yield
                return


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
