"""A connection to a pod as a socket, for libraries that speak HTTP and TLS on sockets only.

Owns a pair of sockets and the tasks between one of them and the connection. The other one is the library's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from master.api.errors import ApiError
from master.api.remote.tasks import end_tasks
from master.api.remote.tcp import TcpConnection

_PIECE_BYTES: Final = 64 << 10


@asynccontextmanager
async def as_socket(connection: TcpConnection) -> AsyncGenerator[socket.socket, None]:
    """A connected socket, whose user closes it. When the connection breaks, the socket is closed in the middle."""
    theirs, ours = socket.socketpair()
    try:
        for end in (theirs, ours):
            end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
    except BaseException:
        theirs.close()
        ours.close()
        raise
    tasks = {
        asyncio.create_task(_up(reader, connection), name="to a pod"),
        asyncio.create_task(_down(connection, writer), name="from a pod"),
    }
    try:
        yield theirs
    finally:
        writer.transport.abort()
        theirs.close()
        await end_tasks(tasks)


async def _up(reader: asyncio.StreamReader, connection: TcpConnection) -> None:
    with contextlib.suppress(ApiError, OSError):  # `_down` ends with the reason
        while data := await reader.read(_PIECE_BYTES):
            await connection.write(data)
        await connection.close_input()


async def _down(connection: TcpConnection, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        try:
            while (piece := await connection.read()) is not None:
                writer.write(piece[1])
                await writer.drain()
            writer.write_eof()
        except ApiError:
            writer.transport.abort()
