"""The frames of SPDY/3.1 (draft 3, section 2.2): cuts them out of a stream of bytes, and writes them.

A data frame can have 16 MiB, so its data come in pieces as they arrive: nothing of them waits here. What the frames
mean is in connection.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from master.api.remote.spdy.errors import ProtocolError

VERSION: Final = 3
FIN: Final = 0x01
"""Flag: the sender's last frame of the stream."""
UNIDIRECTIONAL: Final = 0x02
"""Flag of SYN_STREAM: only the sender sends on the stream."""
STREAM_MASK: Final = 0x7FFFFFFF

MAX_CONTROL_BYTES: Final = 64 << 10
MAX_DATA_BYTES: Final = 64 << 10
"""We write no larger data frames. Clients accept up to 16 MiB."""

_HEAD: Final = struct.Struct(">II")
_CONTROL: Final = 0x80000000


class Kind(IntEnum):
    """The types of control frames that mean something here."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    PING = 6
    GOAWAY = 7
    HEADERS = 8


@dataclass(frozen=True, slots=True)
class Control:
    """A control frame. `kind` may be one that we do not know."""

    kind: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class DataPiece:
    """A piece of a data frame. `last`: nothing follows on this stream."""

    stream_id: int
    data: bytes
    last: bool


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream_id = 0
        self._left: int | None = None
        """Bytes of a data frame that have not arrived; None: between frames."""
        self._last = False

    def read(self, data: bytes) -> Iterator[Control | DataPiece]:
        """The frames that have arrived with these bytes. Raises ProtocolError."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Control | DataPiece | None:
        if self._left is not None:
            return self._piece(self._left) if self._buffer else None
        if len(self._buffer) < _HEAD.size:
            return None
        word, rest = _HEAD.unpack_from(self._buffer)
        flags, size = rest >> 24, rest & 0xFFFFFF
        if word & _CONTROL:
            return self._control(word, flags, size)
        del self._buffer[: _HEAD.size]
        self._stream_id, self._last = word, bool(flags & FIN)
        return self._piece(size)

    def _piece(self, left: int) -> DataPiece:
        data = bytes(self._buffer[:left])
        del self._buffer[:left]
        left -= len(data)
        self._left = left or None
        return DataPiece(self._stream_id, data, self._last and not left)

    def _control(self, word: int, flags: int, size: int) -> Control | None:
        version = word >> 16 & 0x7FFF
        if version != VERSION:
            raise ProtocolError(f"a frame of version {version} of SPDY instead of {VERSION}")
        if size > MAX_CONTROL_BYTES:
            raise ProtocolError(f"a control frame of {size} bytes")
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        return Control(word & 0xFFFF, flags, payload)


def control_frame(kind: Kind, payload: bytes) -> bytes:
    """A control frame without flags as bytes."""
    return _HEAD.pack(_CONTROL | VERSION << 16 | kind, len(payload)) + payload


def data_frames(stream_id: int, data: bytes, *, last: bool = False) -> bytes:
    """Data as frames, one at least. `last`: nothing follows on this stream."""
    frames = []
    for start in range(0, max(len(data), 1), MAX_DATA_BYTES):
        piece = data[start : start + MAX_DATA_BYTES]
        flags = FIN if last and start + MAX_DATA_BYTES >= len(data) else 0
        frames += [_HEAD.pack(stream_id, flags << 24 | len(piece)), piece]
    return b"".join(frames)
