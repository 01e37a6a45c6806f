"""Port-forwarding by the channels of a websocket, as the Python client does it. Owns the websocket.

The ports are in the query. The one at index N has channel 2N for its bytes and channel 2N+1 for an error. The first
message of each channel is the port, in two bytes with the low one first (k8s.io/cri-streaming,
pkg/streaming/portforward/websocket.go). Nobody can say on a channel that no more follows, and each port is connected
once.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Final

from aiohttp import WSMsgType, web

from master.api.errors import BadRequest
from master.api.remote.websockets import upgraded

PROTOCOLS: Final = ("v4.channel.k8s.io", "portforward.k8s.io")
"""The client may also name none."""
MAX_PORTS: Final = 127
"""A channel is one byte, and 255 is not a channel."""
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

    def __init__(self, socket: web.WebSocketResponse, channel: int, port: int) -> None:
        self.port = port
        self.ended = asyncio.Event()
        """The connection to the port is over: what the client still sends is dropped."""
        self._socket = socket
        self._channel = bytes((channel,))
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    async def read(self) -> bytes | None:
        """The next bytes. The client cannot say that none follow."""
        return await self._pieces.get()

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read. Raises ConnectionError."""
        await self._socket.send_bytes(self._channel + data)

    async def put(self, data: bytes) -> None:
        """For the owner: bytes of the client. Waits until the ones before have been read."""
        if not self.ended.is_set():
            putting = asyncio.ensure_future(self._pieces.put(data))
            ended = asyncio.ensure_future(self.ended.wait())
            try:
                await asyncio.wait({putting, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                putting.cancel()
                ended.cancel()


class PortChannels:
    """A client's websocket with the channels of all ports."""

    def __init__(self, socket: web.WebSocketResponse, ports: Sequence[int]) -> None:
        self._socket = socket
        self.ports = [PortData(socket, 2 * index, port) for index, port in enumerate(ports)]

    @classmethod
    async def accept(cls, request: web.BaseRequest, ports: Sequence[int]) -> PortChannels:
        """Upgrade the connection, and name the port of each channel. Raises BadRequest, ConnectionError."""
        socket = await upgraded(request, PROTOCOLS)
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send_bytes(bytes((channel,)) + _PORT.pack(port))
        return cls(socket, ports)

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._socket

    async def receive(self) -> None:
        """Pass on what the client sends, until it goes away. A port that is not read stops the others."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                await self._take(message.data)
            elif message.type is not WSMsgType.TEXT:
                return

    async def fail(self, index: int, text: str) -> None:
        """Send the error of a port. Raises ConnectionError."""
        await self._socket.send_bytes(bytes((2 * index + 1,)) + text.encode())

    async def aclose(self) -> None:
        """Close the websocket."""
        await self._socket.close()

    async def _take(self, message: bytes) -> None:
        index, is_error = divmod(message[0], 2) if message else (len(self.ports), 0)
        if index < len(self.ports) and not is_error and len(message) > 1:
            await self.ports[index].put(message[1:])
