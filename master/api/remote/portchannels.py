"""Port-forwarding by the channels of a websocket, as the Python client does it. Owns the websocket.

The ports are in the query. The one at index N has channel 2N for its bytes and channel 2N+1 for an error. The first
message of each channel is the port, in two bytes with the low one first (k8s.io/cri-streaming,
pkg/streaming/portforward/websocket.go). Nobody can say on a channel that no more follows, and each port is connected
once.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from aiohttp import WSMsgType, web

from master.api.errors import BadRequest
from master.api.remote.subprotocols import V4, V4_TEXT, Subprotocol
from master.api.remote.websockets import offered, send, upgraded

PROTOCOLS: Final = {V4.name: V4, V4_TEXT.name: V4_TEXT, "portforward.k8s.io": V4}
"""The forms of messages by the subprotocol. A client that names none gets the first form."""
MAX_PORTS: Final = 127
"""A channel is one byte, and 255 is not a channel."""
MAX_TEXT_PORTS: Final = 39
"""In text, each channel needs a character of ASCII."""
_PORT: Final = struct.Struct("<H")


def ports_of(values: Sequence[str]) -> list[int]:
    """The ports in the query: repeated, or with commas. Raises BadRequest with the kubelet's messages."""
    if not values:
        raise BadRequest('query parameter "ports" is required')
    ports = []
    for value in values:
        if not value:
            raise BadRequest('query parameter "ports" cannot be empty')
        ports += [_port(text) for text in value.split(",")]
    if len(ports) > MAX_PORTS:
        raise BadRequest(f"{len(ports)} ports; at most {MAX_PORTS} can be forwarded by one websocket")
    return ports


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < 1 << 16):
        raise BadRequest(f'unable to parse "{text[:64]}" as a port')
    if not int(text):
        raise BadRequest(f'port "{text[:64]}" must be > 0')
    return int(text)


class PortData:
    """The bytes of one port at the client's side."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], port: int) -> None:
        self.port = port
        self._write = write
        self._ended = False
        self._piece = b""
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    async def read(self) -> bytes | None:
        """The next bytes. The client cannot say that none follow."""
        await self._filled.wait()
        self._filled.clear()
        piece, self._piece = self._piece, b""
        self._room.set()
        return piece

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read. Raises ConnectionError."""
        await self._write(data)

    async def put(self, data: bytes) -> None:
        """For the owner, from one task: bytes of the client. Waits until the ones before have been read."""
        await self._room.wait()
        if not self._ended:
            self._piece = data
            self._room.clear()
            self._filled.set()

    def end(self) -> None:
        """The connection to the port is over: what the client still sends is dropped."""
        self._ended = True
        self._room.set()


class PortChannels:
    """A client's websocket with the channels of all ports."""

    def __init__(self, socket: web.WebSocketResponse, protocol: Subprotocol, ports: Sequence[int]) -> None:
        self._socket = socket
        self._protocol = protocol
        self.ports = [PortData(partial(self._send, 2 * index), port) for index, port in enumerate(ports)]

    @classmethod
    async def accept(cls, request: web.BaseRequest, ports: Sequence[int]) -> PortChannels:
        """Upgrade the connection, and name the port of each channel. Raises BadRequest, ConnectionError."""
        if V4_TEXT.name in offered(request) and len(ports) > MAX_TEXT_PORTS:
            raise BadRequest(f"{len(ports)} ports; at most {MAX_TEXT_PORTS} can be forwarded with {V4_TEXT.name}")
        socket = await upgraded(request, tuple(PROTOCOLS))
        channels = cls(socket, PROTOCOLS.get(socket.ws_protocol or "", V4), ports)
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await channels._send(channel, _PORT.pack(port))
        return channels

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._socket

    async def receive(self) -> None:
        """Pass on what the client sends, until it goes away. A port that is not read stops the others."""
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return
            if (decoded := self._protocol.decode(message.data)) is not None:
                await self._take(*decoded)

    async def fail(self, index: int, text: str) -> None:
        """Send the error of a port. Raises ConnectionError."""
        await self._send(2 * index + 1, text.encode())

    async def aclose(self) -> None:
        """Close the websocket."""
        await self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        await send(self._socket, self._protocol.encode(channel, data))

    async def _take(self, channel: int, data: bytes) -> None:
        index, is_error = divmod(channel, 2)
        if index < len(self.ports) and not is_error and data:
            await self.ports[index].put(data)
