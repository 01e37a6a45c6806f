"""An HTTP connection after its upgrade, such as to SPDY/3.1: raw bytes both ways. Owns the socket from then on.

aiohttp knows the upgrade to websockets only. So this is the parser to which aiohttp passes what arrives; it reads no
further while much waits here. aiohttp cancels the handler of the request when the client closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from master.api.errors import BadRequest, Forbidden

if TYPE_CHECKING:
    from aiohttp._websocket.reader import WebSocketReader

SPDY: Final = "SPDY/3.1"
PROTOCOL_HEADER: Final = "X-Stream-Protocol-Version"
"""What the streams mean: the client offers protocols, the server chooses one."""

_MAX_WAITING_BYTES: Final = 256 << 10


def spdy_headers(protocol: str) -> dict[str, str]:
    """The headers of a response that accepts SPDY. `protocol`: what the streams mean."""
    return {"Connection": "Upgrade", "Upgrade": SPDY, PROTOCOL_HEADER: protocol}


def is_spdy(request: web.BaseRequest) -> bool:
    """Whether the client wants SPDY."""
    wanted, connection = request.headers.get("Upgrade", ""), request.headers.get("Connection", "")
    return SPDY.lower() in wanted.lower() and "upgrade" in connection.lower()


def negotiate(request: web.BaseRequest, protocols: tuple[str, ...]) -> str:
    """The first protocol of the client that is one of ours. Raises BadRequest, Forbidden, as Kubernetes does."""
    offers = [name.strip() for value in request.headers.getall(PROTOCOL_HEADER, []) for name in value.split(",")]
    offers = [name for name in offers if name]
    if not offers:
        raise BadRequest(f"unable to upgrade: header {PROTOCOL_HEADER} names no protocol")
    for name in offers:
        if name in protocols:
            return name
    raise Forbidden(
        "unable to upgrade: unable to negotiate protocol: "
        f"client supports [{' '.join(offers)}], server accepts [{' '.join(protocols)}]"
    )


class RawBytes:
    """What arrives on a connection of aiohttp that was upgraded. It is aiohttp's parser from then on."""

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self._transport = transport
        self._waiting = bytearray()
        self._arrived = asyncio.Event()
        self._lost = False

    async def read(self) -> bytes:
        """What has arrived; empty: the connection is lost or closed."""
        while not self._waiting and not self._lost:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()
        return data

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """For aiohttp: bytes have arrived. Returns that they are not the end, and that none of them is left over."""
        self._waiting += data
        self._arrived.set()
        if self._transport is not None and len(self._waiting) >= _MAX_WAITING_BYTES:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """For aiohttp: the connection is lost or closed."""
        self._lost = True
        self._arrived.set()


class UpgradedConnection(RawBytes):
    """The bytes of a client's connection that was upgraded. Implements Transport."""

    def __init__(self) -> None:
        super().__init__(None)
        self._response = web.StreamResponse(status=101)

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._response

    async def accept(self, request: web.BaseRequest, headers: Mapping[str, str]) -> None:
        """Upgrade. `headers`: of the response. Raises ConnectionError when the client is gone."""
        self._transport = request.transport
        self._response.headers.update(headers)
        self._response.force_close()
        request.protocol.set_parser(cast("WebSocketReader", self))
        await self._response.prepare(request)

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read. Raises ConnectionError."""
        await self._response.write(data)
