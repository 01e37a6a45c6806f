"""Blocks of headers: names and values, compressed by zlib with SPDY's dictionary (draft 3, section 2.6.10).

All blocks of a direction are one compressed stream, so each has to be read, also if nobody wants its headers.
Sizes are limited after decompression, because a few bytes can become many.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from master.api.remote.spdy.dictionary import DICTIONARY
from master.api.remote.spdy.errors import ProtocolError

Headers = dict[str, str]
"""Names in lower case. Of several values of a name only the first, which is the one that Kubernetes uses."""

MAX_BLOCK_BYTES: Final = 64 << 10
"""Kubernetes' clients send three headers with less than 100 bytes."""
_SEPARATOR: Final = "\0"
_LENGTH: Final = struct.Struct(">I")


class HeaderReader:
    """Reads the blocks of one direction."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> Headers:
        """The headers of the next block. Raises ProtocolError."""
        try:
            plain = self._zlib.decompress(block, MAX_BLOCK_BYTES + 1)
        except zlib.error as error:
            raise ProtocolError(f"headers that cannot be decompressed: {error}") from error
        if len(plain) > MAX_BLOCK_BYTES:
            raise ProtocolError(f"headers of more than {MAX_BLOCK_BYTES} bytes")
        return _headers_of(plain)


class HeaderWriter:
    """Writes the blocks of one direction."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: Headers) -> bytes:
        """The next block."""
        texts = (text.encode("latin-1") for pair in headers.items() for text in pair)
        plain = _LENGTH.pack(len(headers)) + b"".join(_LENGTH.pack(len(text)) + text for text in texts)
        return self._zlib.compress(plain) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def _headers_of(plain: bytes) -> Headers:
    if len(plain) < _LENGTH.size:
        raise ProtocolError("headers without their number")
    (number,) = _LENGTH.unpack_from(plain)
    headers: Headers = {}
    position = _LENGTH.size
    for _ in range(number):
        name, position = _text(plain, position)
        value, position = _text(plain, position)
        if not name or name != name.lower() or name in headers:
            raise ProtocolError(f"a header name that is empty, repeated or not in lower case: {name[:64]!r}")
        headers[name] = value.split(_SEPARATOR, 1)[0]
    if position != len(plain):
        raise ProtocolError("bytes behind the last header")
    return headers


def _text(plain: bytes, position: int) -> tuple[str, int]:
    """A text with its length in front, and the position behind it."""
    start = position + _LENGTH.size
    if start > len(plain):
        raise ProtocolError("headers that end too early")
    end = start + _LENGTH.unpack_from(plain, position)[0]
    if end > len(plain):
        raise ProtocolError("headers that end too early")
    return plain[start:end].decode("latin-1"), end
