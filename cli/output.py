"""What a command prints, and who reads it: a reader who goes, or a charset of few letters, changes nothing of the rest.

Owns stdout and stderr of the process from `main` on. What is printed, and the exit code, are the command's.
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
    """Have stdout and stderr go on when nobody reads them any more, and tell by its number what they cannot write.

    A stream that somebody put in the place of one (a test) is his.
    """
    for descriptor in _STANDARD:
        _open(descriptor)
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)


class _Lasting(io.FileIO):
    """Who read this pipe has seen enough; the command still has its work to end."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(BrokenPipeError):
            return super().write(data)
        return memoryview(data).nbytes


def _open(descriptor: int) -> None:
    """Where it is closed, a file of ours would be opened in its place and be printed into."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _lasting(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(_Lasting(descriptor, "wb", closefd=False)), "utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or type(raw) is not io.FileIO or raw.fileno() != descriptor:
        return stream
    stream.flush()
    lasting = _Lasting(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        lasting if raw is buffer else io.BufferedWriter(lasting),  # python -u
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
