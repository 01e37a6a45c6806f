"""aiohttp's client on a socket that leads to a pod already, and the bytes of its connection after an upgrade.

aiohttp offers neither, so private parts of its client are used, and only here: how a connector connects, and how a
protocol waits until its transport takes more.
"""

from __future__ import annotations

import ssl
from functools import cache
from socket import socket
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

from master.api.errors import Unavailable
from master.api.remote.upgrades import RawBytes

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest

_MAX_LINE_BYTES: Final = 1 << 16
_NOT_OURS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add."""


def pod_session(connected: socket, *, tls: bool) -> aiohttp.ClientSession:
    """A session for one request over this socket. It adds nothing to the request, and does not unpack the answer.

    `tls`: without a check of the pod's certificate, as kube-apiserver does.
    """
    return aiohttp.ClientSession(
        connector=_Connector(connected, _tls() if tls else None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_NOT_OURS,
        timeout=aiohttp.ClientTimeout(total=None),
        max_line_size=_MAX_LINE_BYTES,
        max_field_size=_MAX_LINE_BYTES,
    )


class SwitchedConnection(RawBytes):
    """The bytes of a pod's connection after its answer 101. Implements Transport."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        """Raises Unavailable if the connection has ended."""
        connection = answer.connection
        if connection is None or connection.protocol is None or (transport := connection.transport) is None:
            raise Unavailable("error trying to reach service: the connection ended after the upgrade")
        super().__init__(transport)
        self._pod, self._protocol = transport, connection.protocol
        self._protocol.set_parser(self, None)

    async def write(self, data: bytes) -> None:
        """Send; waits while the pod does not read. Raises ConnectionError."""
        self._pod.write(data)
        await self._protocol._drain_helper()


class _Connector(aiohttp.BaseConnector):
    """Uses one socket that is connected already."""

    def __init__(self, connected: socket, context: ssl.SSLContext | None) -> None:
        super().__init__(force_close=True)
        self._connected = connected
        self._context = context

    async def _create_connection(self, req: ClientRequest, traces: list[Any], timeout: Any) -> ResponseHandler:
        _, protocol = await self._loop.create_unix_connection(
            self._factory,
            sock=self._connected,
            ssl=self._context,
            server_hostname=req.url.host if self._context is not None else None,
        )
        return protocol


@cache
def _tls() -> ssl.SSLContext:
    """One for all pods: it takes milliseconds to make, as it reads the system's certificates."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
