"""Reads one HTTP/1.1 response from bytes, with as little work as possible, because the client shares the processors.

A codec without I/O. It knows Content-Length and chunked bodies, and expects that no further response follows.
"""

from __future__ import annotations

_CHUNK_END = 2
"""Bytes of the line end behind the data of a chunk."""


class Response:
    """One response. Feed it until `feed` returns True. `status` is 0 if the connection was lost before."""

    __slots__ = ("_buffer", "_chunked", "_keep", "_left", "_parts", "complete", "size", "status")

    def __init__(self, *, keep: bool = False) -> None:
        """`keep`: whether to keep the body. Otherwise it is only counted."""
        self.status = 0
        self.size = 0
        """Bytes of the body so far."""
        self.complete = False
        self._keep = keep
        self._parts: list[bytes] = []
        self._buffer = b""
        # Bytes that are missing of the body, or of the current chunk and its line end.
        self._left = 0
        self._chunked = False

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Takes the next bytes. Returns whether the response is complete."""
        if not self.status:
            data = self._buffer + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return False
            self._head(data[:end])
            self._buffer, data = b"", data[end + 4 :]
        if self._chunked:
            self._chunks(data)
        else:
            self._take(data)
            self._left -= len(data)
            self.complete = self._left <= 0
        return self.complete

    def _head(self, head: bytes) -> None:
        self.status = int(head[9:12])
        lower = head.lower()
        position = lower.find(b"\r\ncontent-length:")
        if position >= 0:
            self._left = int(lower[position + 17 :].split(b"\r\n", 1)[0])
        self._chunked = position < 0 and b"\r\ntransfer-encoding: chunked" in lower

    def _chunks(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        position = 0
        while position < len(data) and not self.complete:
            if self._left:
                part = data[position : position + self._left]
                self._take(part[: max(0, self._left - _CHUNK_END)])
                self._left -= len(part)
                position += len(part)
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                break
            line = data[position:end]
            position = end + 2
            # An empty line follows the last chunk, which has the length 0.
            length = int(line.split(b";", 1)[0], 16) if line else 0
            self._left = length + _CHUNK_END if length else 0
            self.complete = not line
        self._buffer = data[position:]

    def _take(self, part: bytes) -> None:
        self.size += len(part)
        if self._keep:
            self._parts.append(part)
