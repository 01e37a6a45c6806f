"""SPDY inside of a websocket: how newer kubectls forward ports through proxies that know no SPDY. Owns the websocket.

Each binary message is a piece of the bytes of a SPDY connection; where it is cut means nothing
(k8s.io/client-go, tools/portforward/tunneling_connection.go).
"""

from __future__ import annotations

from typing import Final

from aiohttp import WSMsgType, web

from master.api.remote.websockets import upgraded

TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"
"""The subprotocol: the tunnel, and what the streams in it mean."""


class Tunnel:
    """The bytes that come through a websocket. Implements Transport."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    async def accept(cls, request: web.BaseRequest) -> Tunnel:
        """Upgrade the connection. Raises BadRequest."""
        return cls(await upgraded(request, (TUNNEL,)))

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._socket

    async def read(self) -> bytes:
        """What has arrived; empty: the connection is lost or closed."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                if message.data:
                    return bytes(message.data)
            elif message.type is not WSMsgType.TEXT:
                return b""

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read. Raises ConnectionError."""
        await self._socket.send_bytes(data)

    async def aclose(self) -> None:
        """Close the websocket."""
        await self._socket.close()
