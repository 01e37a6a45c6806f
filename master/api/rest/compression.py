"""Compression of large responses (gzip) for clients that accept it.

Compressing costs more time than it saves unless the response is large. It runs on a thread, because a megabyte takes
ten milliseconds. Watches are not compressed: their events are small, and have to arrive at once.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Final

from aiohttp import web

from master.api.rest.accept import accepts_gzip

# As Kubernetes: smaller responses are sent as they are, and larger ones are compressed quickly rather than well.
MIN_BYTES: Final = 128 << 10
_LEVEL: Final = 1
# Makes zlib write the header and trailer of gzip.
_GZIP: Final = 16 + zlib.MAX_WBITS
_HEADERS: Final = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}


def wanted(request: web.BaseRequest, size: int) -> bool:
    """Whether a response of so many bytes is compressed."""
    if size < MIN_BYTES or request.method != "GET":
        return False
    return accepts_gzip(request.headers.get("Accept-Encoding", ""))


def is_worthwhile(request: web.BaseRequest, response: web.Response) -> bool:
    """Whether the response is large enough to be compressed, and may be."""
    return isinstance(response.body, bytes) and wanted(request, len(response.body))


async def compressed(request: web.BaseRequest, response: web.Response) -> web.Response:
    """The response, with a compressed body if that is wanted."""
    if is_worthwhile(request, response):
        body = response.body
        assert isinstance(body, bytes)
        response.body = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
        response.headers.update(_HEADERS)
    return response


class Stream:
    """Writes the body of a response in pieces. `size`: its bytes, to decide whether it is compressed."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse, size: int) -> None:
        self._response = response
        self._compressor = None
        if wanted(request, size):
            self._compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
            response.headers.update(_HEADERS)

    async def write(self, piece: bytes) -> None:
        if self._compressor is not None:
            piece = await asyncio.to_thread(self._compressor.compress, piece)
        if piece:
            await self._response.write(piece)

    async def end(self) -> None:
        """Writes what the compressor still holds."""
        if self._compressor is not None:
            await self._response.write(self._compressor.flush())
