"""TCP connections to pods for clients of the master: opened where the pod's port is, and carried like a process.

Owns the socket. Which pod and which address is the pods' side's decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from agent.errors import AgentError
from agent.runtime.process import PIECE_BYTES, Channel
from netstack import namespaces
from netstack.errors import NetstackError

CONNECT_S: Final = 30.0
"""As kube-apiserver, and long enough for two repetitions of a lost SYN."""

Address = IPv4Address | IPv6Address
LOOPBACKS: Final[tuple[Address, ...]] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
"""Where a forwarded port is looked for, in the kubelet's order."""


class CannotConnect(AgentError):
    """Nothing accepts the connection, or the pod's network is not there."""


@dataclass(frozen=True, slots=True)
class Place:
    """The network namespace of a pod: that of the process `pid`, as long as it has the pod's address."""

    pid: int
    address: IPv4Address


class Connection:
    """Both directions of a connection. Implements Process: its output is what the pod sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> tuple[Channel, bytes] | None:
        """The next bytes; None: the pod has ended its side. Raises CannotConnect: the connection is broken."""
        try:
            data = await self._reader.read(PIECE_BYTES)
        except OSError as error:
            raise CannotConnect(f"the connection is broken: {_reason(error)}") from error
        return (Channel.STDOUT, data) if data else None

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # `read` has the reason
            self._writer.write(data)
            await self._writer.drain()

    async def close_input(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def resize(self, *, width: int, height: int) -> None:
        """Does nothing: there is no terminal."""

    async def exit_code(self) -> int | None:
        """None: there is no process."""
        return None


@asynccontextmanager
async def connected(addresses: Sequence[Address], port: int, place: Place | None = None) -> AsyncIterator[Connection]:
    """A connection to the first address that accepts it, from inside of the place. Without one: from this host.

    Raises CannotConnect.
    """
    made = await _first(addresses, port, place)
    reader, writer = await asyncio.open_connection(sock=made, limit=PIECE_BYTES)
    try:
        yield Connection(reader, writer)
    finally:
        # A client that has gone away reads no more: what waits for the pod need not arrive.
        writer.transport.abort()


async def _first(addresses: Sequence[Address], port: int, place: Place | None) -> socket.socket:
    """A connected socket. The message has the form of Go's, which people know from the kubelet and the API server."""
    failures = []
    for address in addresses:
        try:
            return await _connect(address, port, place)
        except (OSError, NetstackError, TimeoutError) as error:
            host = f"[{address}]" if address.version == 6 else f"{address}"
            failures.append(f"dial tcp{'' if place is None else address.version} {host}:{port}: {_reason(error)}")
    raise CannotConnect("; ".join(failures))


async def _connect(address: Address, port: int, place: Place | None) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    made = _socket(family) if place is None else await asyncio.to_thread(_socket_in, place, family)
    try:
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(made, (str(address), port))
    except BaseException:
        made.close()
        raise
    return made


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _socket_in(place: Place, family: int) -> socket.socket:
    """A socket of the pod's namespace; it stays there. Blocks."""
    return namespaces.run_in(namespaces.of_pid(place.pid), partial(_checked, place.address, family))


def _checked(address: IPv4Address, family: int) -> socket.socket:
    """A process may have ended and another one have its pid: only the pod's own namespace has the pod's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError as error:
            raise CannotConnect(f"the pod's network with {address} is gone") from error
    return _socket(family)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return "i/o timeout"
    if isinstance(error, OSError) and error.errno:
        return f"connect: {os.strerror(error.errno).lower()}"
    return str(error) or type(error).__name__
