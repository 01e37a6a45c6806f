"""The engine's stream format, in which stdout and stderr share one connection: a codec without I/O.

Each frame has a header of 8 bytes, and then its bytes: the channel in the first byte, and the size in the last four,
big-endian (Docker Engine API, "Attach to a container", "Stream format").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from agent.runtime.process import Channel

_HEADER: Final = struct.Struct(">BxxxL")


def joined(pieces: Iterable[tuple[Channel, bytes]]) -> Iterator[tuple[Channel, bytes]]:
    """The same output, with pieces of one channel that follow each other as one piece."""
    for channel, group in groupby(pieces, key=itemgetter(0)):
        yield channel, b"".join(data for _, data in group)


class FrameError(ValueError):
    """The bytes are not in the stream format."""


class Frames:
    """Decodes a stream. A long frame is passed on in the pieces in which it arrives."""

    def __init__(self) -> None:
        self._header = b""
        self._channel = Channel.STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[Channel, bytes]]:
        """The output in the next bytes of the stream. Raises FrameError."""
        start = 0
        while start < len(data):
            if self._left:
                piece = data[start : start + self._left]
                self._left -= len(piece)
                start += len(piece)
                yield self._channel, piece
                continue
            missing = _HEADER.size - len(self._header)
            self._header += data[start : start + missing]
            start += missing
            if len(self._header) == _HEADER.size:
                self._begin()

    @property
    def inside(self) -> bool:
        """Whether the stream is in the middle of a frame: it must not end here."""
        return bool(self._left or self._header)

    def _begin(self) -> None:
        number, self._left = _HEADER.unpack(self._header)
        self._header = b""
        if number not in (0, *Channel):
            raise FrameError(f"the engine sent a frame of the unknown channel {number}")
        # The engine's channel 0 is input that it repeats; it belongs to stdout.
        self._channel = Channel(number or Channel.STDOUT)
