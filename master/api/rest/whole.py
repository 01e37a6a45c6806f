"""A response with a short head and the whole body, written at once: what nearly all answers with an object are.

aiohttp makes a dictionary of headers for each response and encodes it again. Here the head is made from a template.
Other responses take the way of aiohttp: to HEAD or HTTP/1.0, with headers that concern the connection or the body's
length, at the end of a connection, or to a client that has not read the last responses yet.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE

# Bytes that may wait in a transport, beside those in the kernel's buffer. With more, aiohttp waits for the client.
_WAITING_BYTES: Final = 64 << 10
_HEAD: Final = "HTTP/1.1 {} {}\r\n{}Content-Length: %d\r\nDate: {}\r\nServer: {}\r\n\r\n"
# All other headers stand in the head as they are.
_PLAIN: Final = frozenset({"Content-Type", "Warning", "Retry-After", "Content-Encoding", "Vary", "ETag"})

Headers = tuple[tuple[str, str], ...]


class Whole(web.Response):
    """A response with this body."""

    _written = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport, body, headers = request.transport, self.body, tuple(self.headers.items())
        if (
            transport is None
            or not isinstance(body, bytes)
            or self.compression
            or super().keep_alive is not None
            or not request.keep_alive
            or request.version != HttpVersion11
            or request.method == "HEAD"
            or transport.is_closing()
            or transport.get_write_buffer_size() > _WAITING_BYTES
        ):
            return await super().prepare(request)
        head = _head(self.status, self.reason, headers, int(time.time()))
        if not head:
            return await super().prepare(request)
        transport.write(head % len(body) + body)
        self._written = True
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        if not self._written:
            await super().write_eof(data)

    @property
    def prepared(self) -> bool:
        return self._written or super().prepared

    @property
    def keep_alive(self) -> bool | None:
        return True if self._written else super().keep_alive


@lru_cache(maxsize=64)
def _head(status: int, reason: str, headers: Headers, second: int) -> bytes:
    """The head of responses in one second, but for the length of the body. Empty if it needs more than a template."""
    if not all(name in _PLAIN and value.isprintable() for name, value in headers):
        return b""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).replace("%", "%%")
    return _HEAD.format(status, reason, lines, formatdate(second, usegmt=True), SERVER_SOFTWARE).encode()
