"""Connections of probes: plain sockets on the event loop, with or without TLS, and no thread but for host names.

A connection is closed in order, as the kubelet does, not by a reset: some servers report a reset by their client as an
error, or even end. What is left in TIME_WAIT is small.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from ipaddress import ip_address
from typing import Final, Protocol

_PIECE: Final = 16 << 10
_LOOKUPS: Final = 4
"""Host names that are looked up at once."""


class Connection(Protocol):
    """An open connection. Calls raise OSError (TLS errors are a kind of it)."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """The next bytes; empty at the end."""
        ...

    def close(self) -> None: ...


async def connect(host: str, port: int, *, tls: bool = False) -> Connection:
    """Open a connection to an address, or to the first address of a name that answers. Raises OSError."""
    *others, last = await _resolve(host, port)
    for family, address in others:
        with suppress(OSError):
            return await _open(family, address, host, tls=tls)
    return await _open(*last, host, tls=tls)


async def _open(family: int, address: tuple[str, int], host: str, *, tls: bool) -> Connection:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await _connect(sock, address)
        plain = _Plain(sock)
        if not tls:
            return plain
        secured = _Tls(plain, host)
        await secured.handshake()
        return secured
    except BaseException:
        sock.close()
        raise


def reason(error: OSError) -> str:
    """The error in the words of the system, as Go writes it."""
    if isinstance(error, ssl.SSLError | socket.gaierror) or not error.errno:
        return str(error)
    return os.strerror(error.errno).lower()


async def _connect(sock: socket.socket, address: tuple[str, int]) -> None:
    """Connect. To a pod of this node that is done within the first call: then the loop need not wait for it."""
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        code = sock.connect_ex(address)
    if code in (errno.EINPROGRESS, errno.EALREADY):
        await asyncio.get_running_loop().sock_connect(sock, address)
    elif code not in (0, errno.EISCONN):
        raise OSError(code, os.strerror(code))


async def _resolve(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    """Families and addresses, at least one. Raises OSError."""
    try:
        return [(socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6, (host, port))]
    except ValueError:
        pass
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(_names(), look_up)
    except ValueError as error:  # not even the form of a name
        raise OSError(f"lookup {host[:80]!r}: no such host") from error
    return [(family, (str(address[0]), port)) for family, _, _, _, address in found]


@cache
def _names() -> ThreadPoolExecutor:
    """Threads for host names only: the loop's own do the agent's other work, and a look-up may take half a minute."""
    return ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="probe names")


class _Plain:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    def send_now(self, data: bytes) -> None:
        """Send what the kernel takes without waiting."""
        self._sock.send(data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._sock, _PIECE)

    def close(self) -> None:
        self._sock.close()


@cache
def _context() -> ssl.SSLContext:
    """Certificates are not verified: a probe asks whether the server answers, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Servers with short keys are probed too.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


class _Tls:
    """TLS over a plain connection, by buffers in memory."""

    def __init__(self, plain: _Plain, host: str) -> None:
        self._plain = plain
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._session = _context().wrap_bio(self._received, self._to_send, server_hostname=host)

    async def handshake(self) -> None:
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                await self._exchange()
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        self._session.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        while True:
            try:
                return self._session.read(_PIECE)
            except ssl.SSLWantReadError:
                await self._exchange()
            except ssl.SSLZeroReturnError:
                return b""

    def close(self) -> None:
        with suppress(OSError):
            self._session.unwrap()  # writes the notice, and would wait for the server's
        with suppress(OSError):
            self._plain.send_now(self._to_send.read())
        self._plain.close()

    async def _exchange(self) -> None:
        await self._flush()
        data = await self._plain.receive()
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    async def _flush(self) -> None:
        if data := self._to_send.read():
            await self._plain.send(data)
