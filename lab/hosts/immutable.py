"""The immutable attribute of files (chattr +i): the file system refuses all writes, even through open descriptors.

Sets and clears it in a whole tree. Mounts below the tree are other disks and are left alone.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from netrig.errors import Unsupported

_GET, _SET = 0x80086601, 0x40086602
"""FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of linux/fs.h."""
_IMMUTABLE = 0x10
_UNSUPPORTED = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)


def refuse(directory: Path) -> None:
    """Refuse to write, create, rename or remove anything in the tree. Raises Unsupported."""
    _probe(directory)
    for path in _tree(directory):
        _flag(path, immutable=True)


def allow(directory: Path) -> None:
    """Undo `refuse`. Does nothing to a tree without the attribute, or on a file system that does not support it."""
    for path in _tree(directory):
        try:
            _flag(path, immutable=False)
        except Unsupported:
            return


def _probe(directory: Path) -> None:
    """Try it: some file systems store the attribute and ignore it."""
    path = directory / ".immutable"
    with path.open("wb", buffering=0) as file:
        try:
            _flag(path, immutable=True)
            file.write(b"?")
        except PermissionError:
            return
        finally:
            allow(directory)
            path.unlink()
    raise Unsupported(f"the file system of {directory} allows writes to immutable files")


def _tree(directory: Path) -> Iterator[Path]:
    """The directory first: a file that is created meanwhile is then refused."""
    if not directory.is_dir():
        return
    device = directory.stat().st_dev
    for root, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if _is_on(Path(root, name), device)]
        yield Path(root)
        yield from (path for name in files if _is_on(path := Path(root, name), device) and path.is_file())


def _is_on(path: Path, device: int) -> bool:
    try:
        return not path.is_symlink() and path.stat().st_dev == device
    except FileNotFoundError:
        return False


def _flag(path: Path, *, immutable: bool) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET, struct.pack("l", 0)))
        changed = flags | _IMMUTABLE if immutable else flags & ~_IMMUTABLE
        if changed != flags:
            fcntl.ioctl(descriptor, _SET, struct.pack("l", changed))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise Unsupported(f"the file system of {path} has no immutable files") from error
        raise
    finally:
        os.close(descriptor)
