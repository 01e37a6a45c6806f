"""The channels of a process over a websocket. Owns the socket; what the messages mean is in
subprotocols.py and channels.py.

aiohttp reads no further while a message waits here, and `write` waits while the client does not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import WSMsgType, web

from master.api.errors import BadRequest
from master.api.remote import subprotocols
from master.api.remote.bearer import divided
from master.api.remote.channels import Channel, Event, event_of, text_of
from master.api.remote.subprotocols import Subprotocol

_PROTOCOLS: Final = "Sec-WebSocket-Protocol"
MAX_MESSAGE_BYTES: Final = 1 << 20
"""Clients send 32 KiB at a time."""
CLOSE_S: Final = 10.0
"""How long the client may take to close its side."""


def is_websocket(request: web.BaseRequest) -> bool:
    """Whether the client wants a websocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def protocol_values(request: web.BaseRequest) -> Sequence[str]:
    """The values of the header with subprotocols, among which a token may be."""
    return request.headers.getall(_PROTOCOLS, ())


def offered(request: web.BaseRequest) -> set[str]:
    """The subprotocols that the client can speak."""
    _, names = divided(protocol_values(request))
    return set(names)


async def upgraded(
    request: web.BaseRequest, protocols: Sequence[str], *, max_message_bytes: int = MAX_MESSAGE_BYTES
) -> web.WebSocketResponse:
    """The connection as a websocket. `protocols`: the subprotocols of the server; a client may also offer none.

    Raises BadRequest if the client's handshake is wrong, or if all subprotocols that it offers are other ones.
    """
    if (names := offered(request)) and not names & set(protocols):
        raise BadRequest(f"unable to upgrade: the server supports the subprotocols {', '.join(protocols)}")
    socket = web.WebSocketResponse(protocols=protocols, compress=False, max_msg_size=max_message_bytes, timeout=CLOSE_S)
    try:
        await socket.prepare(_without_token(request))
    except web.HTTPException as error:
        raise BadRequest(f"unable to upgrade: {error.text or error.reason}") from error
    return socket


def _without_token(request: web.BaseRequest) -> web.BaseRequest:
    """The request as aiohttp gets it, which looks at one header only, and logs subprotocols that it does not know: a
    token must not be among them."""
    values = protocol_values(request)
    tokens, names = divided(values)
    if not tokens and len(values) < 2:
        return request
    headers = request.headers.copy()
    headers.popall(_PROTOCOLS)
    if names:
        headers[_PROTOCOLS] = ", ".join(names)
    return request.clone(headers=headers)


async def send(socket: web.WebSocketResponse, message: bytes | str) -> None:
    """Send a message as text or as bytes; waits while the client does not read. Raises ConnectionError."""
    if isinstance(message, str):
        await socket.send_str(message)
    else:
        await socket.send_bytes(message)


class WebSocketClient:
    """A client that is connected by a websocket. `accept` comes before all else."""

    _socket: web.WebSocketResponse

    async def accept(self, request: web.BaseRequest) -> None:
        """Upgrade the connection. Raises BadRequest if the client's handshake or its subprotocols are not ours."""
        self._socket = await upgraded(request, tuple(subprotocols.ALL))

    @property
    def _protocol(self) -> Subprotocol:
        """The agreed one. A client that offered none speaks the oldest."""
        return subprotocols.ALL.get(self._socket.ws_protocol or "", subprotocols.OLD)

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._socket

    async def read(self) -> Event | None:
        """The next event; None: the client has closed the connection, or lost it."""
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return None
            decoded = self._protocol.decode(message.data)
            event = event_of(*decoded, has_close=self._protocol.has_close) if decoded is not None else None
            if event is not None:
                return event

    async def write(self, channel: int, data: bytes) -> None:
        """Send to the client. Raises ConnectionError when it is gone."""
        await send(self._socket, self._protocol.encode(channel, data))

    async def finish(self, status: bytes) -> None:
        """Send the Status with which the stream ends, and close."""
        if text := status if self._protocol.has_status else text_of(status):
            await self.write(Channel.ERROR, text)
        await self._socket.close()

    async def aclose(self) -> None:
        """Nothing is left to end."""
