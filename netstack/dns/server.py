"""The sockets of cluster DNS: UDP and TCP at one address.

Bounded: connections, also of one client, the time of a silent one, and what waits to be sent. Two processes may listen
at once (SO_REUSEPORT), so that a new one takes over from an old one without a gap; and the address need not exist yet
(IP_FREEBIND).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol, cast

from netstack.dns.resolver import Resolver

PORT: Final = 53
MAX_CONNECTIONS: Final = 200
MAX_PER_CLIENT: Final = 20
"""Connections from one address: a pod must leave some to the others."""
IDLE_S: Final = 10.0
"""A connection without a query for this time is closed."""
_MAX_UNSENT: Final = 1 << 20
"""Bytes of responses that the kernel did not take yet; further ones are dropped, as UDP may."""
_DISCARD: Final = 9
"""A port from which nobody asks."""
_TRIES: Final = 20
"""A port that the kernel chooses for TCP may be in use for UDP."""
_DRAIN_S: Final = 0.05
_IP_FREEBIND: Final = 15

log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(resolver: Resolver, address: str, port: int = PORT) -> AsyncIterator[int]:
    """Answer at this address within the context; yields the port, which the kernel chooses if it was 0.

    Raises OSError.
    """
    connections, datagrams = _sockets(address, port)
    loop = asyncio.get_running_loop()
    tasks = _Tasks()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(resolver, tasks), sock=datagrams)
    accepting = _Connections(resolver)
    server = await asyncio.start_server(lambda *streams: tasks.start(accepting.serve(*streams)), sock=connections)
    try:
        yield datagrams.getsockname()[1]
    finally:
        server.close()
        # A connected socket gets no further queries: they go to the process that took over, and none is lost in the
        # queue of this socket.
        with suppress(OSError):
            datagrams.connect((address, _DISCARD))
        await asyncio.sleep(_DRAIN_S)
        transport.close()
        await tasks.end()


def _sockets(address: str, port: int, tries: int = _TRIES) -> tuple[socket.socket, socket.socket]:
    """A socket of TCP and one of UDP at the same port. Raises OSError."""
    connections = _socket(socket.SOCK_STREAM, address, port)
    try:
        return connections, _socket(socket.SOCK_DGRAM, address, connections.getsockname()[1])
    except OSError:
        connections.close()
        if port or tries <= 1:
            raise
    return _sockets(address, port, tries - 1)


def _socket(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


class _Transport(Protocol):
    """asyncio's transport of datagrams, with the method that its type lacks."""

    def sendto(self, data: bytes, address: tuple[str, int]) -> None: ...
    def is_closing(self) -> bool: ...
    def get_write_buffer_size(self) -> int: ...


class _Tasks:
    """Questions that wait for resolvers, whose number the forwarder bounds, and connections."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="dns query")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def end(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class _Datagrams(asyncio.DatagramProtocol):
    """Queries over UDP."""

    def __init__(self, resolver: Resolver, tasks: _Tasks) -> None:
        self._resolver = resolver
        self._tasks = tasks
        self._transport: _Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(_Transport, transport)

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        response = self._resolver.respond(data, datagram=True)
        if isinstance(response, bytes):
            self._send(response, client)
        elif response is not None:
            self._tasks.start(self._send_later(response, client))

    def error_received(self, error: Exception) -> None:
        """A client is gone: it gets no response."""
        log.debug("a client does not take its response: %s", error)

    async def _send_later(self, response: Awaitable[bytes], client: tuple[str, int]) -> None:
        self._send(await response, client)

    def _send(self, response: bytes, client: tuple[str, int]) -> None:
        if not self._transport.is_closing() and self._transport.get_write_buffer_size() < _MAX_UNSENT:
            self._transport.sendto(response, client)


class _Connections:
    """Queries over TCP, one after the other on each connection (RFC 7766)."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._open: Counter[str] = Counter()
        """By the client's address."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        client = peer[0] if peer else ""  # disconnected already
        if self._open.total() >= MAX_CONNECTIONS or self._open[client] >= MAX_PER_CLIENT:
            writer.close()
            return
        self._open[client] += 1
        # `drain` returns when everything is sent: nothing waits in a connection that is closed.
        writer.transport.set_write_buffer_limits(0)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, EOFError):
            # Also when the client was silent, or read nothing, for too long.
            writer.transport.abort()
        finally:
            self._open[client] -= 1
            self._open += Counter()  # without those that have none left
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(IDLE_S):
            data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        response = self._resolver.respond(data, datagram=False)
        content = response if isinstance(response, bytes | None) else await response
        if content is None:
            return False
        writer.write(len(content).to_bytes(2) + content)
        async with asyncio.timeout(IDLE_S):
            await writer.drain()
        return True
