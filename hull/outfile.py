"""The output file of a command, at a path that a person typed."""

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
    """A file that is written completely or not at all, even across a crash; `-` is the standard output.

    A device or a pipe is written into, as a shell does. A symbolic link stays, and its target is written. `mode` is the
    mode of the new file, whatever it was before. Raises OSError with the path as it was typed.
    """
    try:
        if is_stdout(path):  # not sys.stdout, which ignores a reader that goes away: an incomplete file is an error
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
    """Whether the path means the standard output."""
    return str(path) in ("-", "/dev/stdout", "/dev/fd/1")


def _is_special(path: Path) -> bool:
    if path.is_relative_to("/dev") or path.is_relative_to("/proc"):
        return True  # also an open descriptor of a regular file, which must not be replaced
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(kind)
