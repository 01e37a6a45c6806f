"""One keep-alive connection of a client: sends requests that are encoded already, one after the other.

It is a protocol of the event loop without streams and tasks, because the client shares the processors with the server.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Self, cast

from tests.bench.areas.api.response import Response

Done = Callable[[Response], None]


class Connection(asyncio.Protocol):
    """Open it with `await Connection.open(port, tls)`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._response: Response | None = None
        self._done: Done = lambda _: None

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext) -> Self:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1")
        return connection

    def send(self, request: bytes, done: Done, *, keep: bool = False) -> None:
        """Sends a request and calls `done` with the response. `keep`: with its body.

        If the connection is lost, the response is not complete.
        """
        self._response, self._done = Response(keep=keep), done
        self._transport.write(request)

    async def ask(self, request: bytes, *, keep: bool = True) -> Response:
        """The response to one request. Raises RuntimeError unless its status is 200 or 201."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.send(request, answer.set_result, keep=keep)
        response = await answer
        check(response, 200, 201)
        return response

    def close(self) -> None:
        self._transport.abort()

    # -- called by the event loop ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is not None and response.feed(data):
            self._response = None
            self._done(response)

    def connection_lost(self, error: Exception | None) -> None:
        response, self._response = self._response, None
        if response is not None:
            self._done(response)


async def connections(number: int, port: int, tls: ssl.SSLContext) -> list[Connection]:
    return [await Connection.open(port, tls) for _ in range(number)]


def check(response: Response, *expected: int) -> None:
    """Raises RuntimeError if the response is not complete or has another status."""
    if not response.complete:
        raise RuntimeError("the server closed the connection")
    if response.status not in expected:
        raise RuntimeError(f"the server answered {response.status}: {response.body.decode(errors='replace')[:500]}")
