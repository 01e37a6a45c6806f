"""Unpacks the files of an image from standard input into a directory: a process of its own, with that directory as its
root. So nothing in an archive, whatever its names and links are, leads out of the directory.

Devices are left out, and what an engine adds to each container: places for mounts, which are not in the image.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tarfile
from pathlib import Path
from typing import BinaryIO, Final, cast

_END_BYTES: Final = 2 * tarfile.BLOCKSIZE
_ADDED: Final = (
    ".dockerenv",
    *("dev/console", "dev/pts", "dev/shm", "dev"),
    *("etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "etc"),
    *("proc", "sys"),
)
"""Docker's places for mounts (daemon/initlayer), each directory after what is in it."""


def main(directory: str) -> int:
    """Unpack; returns the exit code. Problems go to standard error."""
    os.umask(0)
    os.chroot(directory)
    os.chdir("/")
    source = _Tail(sys.stdin.buffer)
    try:
        with tarfile.open(fileobj=cast(BinaryIO, source), mode="r|") as archive:
            unpack(archive, Path("/"))
        source.check()
    except (OSError, tarfile.TarError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class _Tail:
    """Remembers the end of what was read: tarfile takes an archive that is cut off for a whole one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._end = (self._end + data)[-_END_BYTES:]
        return data

    def check(self) -> None:
        """Raises ReadError if the end is missing: two blocks of zeros."""
        while self.read(tarfile.RECORDSIZE):
            pass
        if self._end != bytes(_END_BYTES):
            raise tarfile.ReadError("the archive is cut off")


def unpack(archive: tarfile.TarFile, directory: Path) -> None:
    """Unpack into a directory that nothing leads out of. Raises OSError, TarError."""
    # The names are kept as they are, in all versions of Python.
    archive.extraction_filter = lambda member, path: member
    for member in archive:
        if not member.isdev():
            archive.extract(member, directory, numeric_owner=True)
    for name in _ADDED:
        with contextlib.suppress(OSError):  # it is missing, or has content
            _remove_empty(directory / name)


def _remove_empty(path: Path) -> None:
    """Remove a directory or file without content; a link always has some, apart from the one that Docker makes."""
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        path.rmdir()
    elif (stat.S_ISREG(status.st_mode) and not status.st_size) or (path.name == "mtab" and path.is_symlink()):
        path.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
