"""One stream of bytes to a client by a websocket, such as a log.

Owns the socket. The subprotocols are those of apimachinery (pkg/util/httpstream/wsstream, Reader): binary messages, or
text messages with base64; a client that offers none gets binary messages.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from master.api.errors import ApiError
from master.api.remote.tasks import end_tasks
from master.api.remote.websockets import upgraded

BINARY: Final = "binary.k8s.io"
TEXT: Final = "base64.binary.k8s.io"
_MAX_IGNORED_BYTES: Final = 4 << 20
"""The longest message of a client. None of them means anything."""
_MAX_REASON_BYTES: Final = 123
"""RFC 6455, 5.5: a control frame has at most 125 bytes, two of them the code."""


async def send(request: web.BaseRequest, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send the pieces until they end or the client closes its side.

    Raises BadRequest before the connection is upgraded. If the pieces fail later, the client gets the code of an
    internal error (RFC 6455, 7.4.1) and the message.
    """
    socket = await upgraded(request, (BINARY, TEXT), max_message_bytes=_MAX_IGNORED_BYTES)
    sending = asyncio.create_task(_send_all(socket, pieces), name="websocket stream")
    reading = asyncio.create_task(_until_closed(socket), name="end of a websocket")
    try:
        await asyncio.wait((sending, reading), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks((sending, reading))
    if not sending.cancelled() and isinstance(error := sending.exception(), ApiError):
        message = error.message.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
        await socket.close(code=WSCloseCode.INTERNAL_ERROR, message=message)
    else:
        await socket.close()
    return socket


async def _send_all(socket: web.WebSocketResponse, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        if socket.ws_protocol == TEXT:
            await socket.send_str(base64.b64encode(piece).decode())
        else:
            await socket.send_bytes(piece)


async def _until_closed(socket: web.WebSocketResponse) -> None:
    """What a client sends means nothing; only its end does."""
    while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
        pass
