"""The file that a person names for a command to write."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from hull import atomicfile

_STDOUT: Final = 1


@contextmanager
def written(path: Path, *, mode: int) -> Iterator[IO[bytes]]:
    """A file of which all is there at the end or nothing, also across a crash; `-` is the standard output.

    What is no regular file is written into, as a shell does: a device, a pipe. Where a symbolic link leads, the link
    stays. `mode` is the file's, whatever it was. Raises OSError with the path that was named.
    """
    try:
        if is_stdout(path):
            # Not what is printed to: that takes it well when its reader goes, and a file must not.
            with open(_STDOUT, "wb", closefd=False) as stdout:
                yield stdout
        elif _is_special(path):
            with path.open("wb") as special:
                yield special
        else:
            with atomicfile.opened(Path(os.path.realpath(path)), mode=mode) as file:
                yield file
    except OSError as error:
        if error.strerror and error.filename != str(path):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def is_stdout(path: Path) -> bool:
    """Whether what is written there is what one would print to."""
    return str(path) in ("-", "/dev/stdout", "/dev/fd/1")


def _is_special(path: Path) -> bool:
    if path.is_relative_to("/dev") or path.is_relative_to("/proc"):
        return True  # also a descriptor that happens to be a file's
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(kind)
