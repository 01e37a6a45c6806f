"""The client's side of SPDY for tests: writes frames, and reads those of a server. Shares only zlib's dictionary."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from master.api.remote.spdy.dictionary import DICTIONARY

FIN = 1


@dataclass(frozen=True)
class Frame:
    """A frame. `kind` 0: data."""

    kind: int
    stream_id: int
    payload: bytes = b""
    flags: int = 0


@dataclass
class SpdyClient:
    """Makes the bytes of a client. `frames` reads the bytes of a server; headers of its answers are decompressed."""

    _compressor: zlib._Compress = field(default_factory=lambda: zlib.compressobj(zdict=DICTIONARY))
    _decompressor: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(zdict=DICTIONARY))
    _buffer: bytes = b""

    def block(self, headers: dict[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers))
        for text in (text.encode() for pair in headers.items() for text in pair):
            plain += struct.pack(">I", len(text)) + text
        return self.compressed(plain)

    def compressed(self, plain: bytes) -> bytes:
        return self._compressor.compress(plain) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def open(self, stream_id: int, headers: dict[str, str], *, flags: int = 0) -> bytes:
        return control(1, struct.pack(">IIBB", stream_id, 0, 0, 0) + self.block(headers), flags=flags)

    def headers(self, stream_id: int, headers: dict[str, str], *, flags: int = 0) -> bytes:
        return control(8, struct.pack(">I", stream_id) + self.block(headers), flags=flags)

    def frames(self, received: bytes) -> list[Frame]:
        """The complete frames of a server."""
        self._buffer += received
        frames = []
        while len(self._buffer) >= 8:
            word, rest = struct.unpack(">II", self._buffer[:8])
            flags, end = rest >> 24, 8 + (rest & 0xFFFFFF)
            if len(self._buffer) < end:
                break
            payload, self._buffer = self._buffer[8:end], self._buffer[end:]
            frames.append(self._frame(word, flags, payload))
        return frames

    def _frame(self, word: int, flags: int, payload: bytes) -> Frame:
        if not word >> 31:
            return Frame(0, word, payload, flags)
        assert word >> 16 == 0x8003
        (stream_id,) = struct.unpack(">I", payload[:4])
        rest = self._decompressor.decompress(payload[4:]) if word & 0xFFFF == 2 else payload[4:]
        return Frame(word & 0xFFFF, stream_id, rest, flags)


def control(kind: int, payload: bytes, *, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def data(stream_id: int, payload: bytes, *, flags: int = 0) -> bytes:
    return struct.pack(">II", stream_id, flags << 24 | len(payload)) + payload


def reset(stream_id: int, status: int = 5) -> bytes:
    return control(3, struct.pack(">II", stream_id, status))


def ping(number: int) -> bytes:
    return control(6, struct.pack(">I", number))


GOAWAY = control(7, struct.pack(">II", 0, 0))
