"""stdout and stderr of the process: a reader that leaves, or a small character set, does not stop a command.

Owns both streams from `main` on.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD: Final = (0, 1, 2)


def prepare() -> None:
    """Let stdout and stderr ignore that their reader is gone, and escape characters that they cannot encode.

    A stream that was replaced, as tests do, stays as it is.
    """
    for descriptor in _STANDARD:
        _open(descriptor)
    sys.stdout, sys.stderr = _unbreakable(sys.stdout, 1), _unbreakable(sys.stderr, 2)


class _Unbreakable(io.FileIO):
    """A file that drops what is written after the reader of the pipe has left: the command still finishes its work."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(BrokenPipeError):
            return super().write(data)
        return memoryview(data).nbytes


def _open(descriptor: int) -> None:
    """Open /dev/null if the descriptor is closed: else the next file that we open gets it, and is printed into."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _unbreakable(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(_Unbreakable(descriptor, "wb", closefd=False)), "utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO or raw.fileno() != descriptor:
        return stream
    stream.flush()
    unbreakable = _Unbreakable(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        unbreakable if raw is buffer else io.BufferedWriter(unbreakable),  # python -u
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
