"""Servers on loopback that answer probes as a test wants: with certain bytes, slowly, with TLS, or by a reset."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

from tests.fakes.clock import settle

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Takes the head of a request."""


@dataclass
class Server:
    """A server, and the requests that it got."""

    port: int
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def serving(answer: Answer, *, certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Server]:
    """A server on 127.0.0.1; `certificate`: of its TLS, as files with the certificate and the key."""
    context = None
    if certificate is not None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    server = Server(0)

    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.requests.append(head)
            await answer(head, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with listening:
        server.port = listening.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            await settle()  # a connection that has just been made gets its handler
            for task in handlers:
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)
            await settle()  # transports close in the next turn of the loop


def sends(*pieces: bytes) -> Answer:
    """Send these bytes."""

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """A response."""
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def resets(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await writer.drain()
    await asyncio.Event().wait()


async def is_endless(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Send a body without an end, until the client has enough."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x" * 4096)
        await writer.drain()
