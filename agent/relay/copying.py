"""One relayed connection: connects to the target and copies both ways until both sides have ended.

Owns the two sockets. An end of one side is passed on alone (half-close), a failure of one side resets both. A direction
reads only what it has sent on, so that a side which does not read stops the other one, and holds at most one piece.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

CONNECT_S: Final = 10.0
PIECE_BYTES: Final = 64 << 10

_RESET: Final = struct.pack("ii", 1, 0)  # struct linger: close without waiting, by a reset

# A pod that is gone answers nothing, not even a reset. Its connection ends after two minutes without an answer.
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)


async def carry(client: socket.socket, target: tuple[str, int]) -> None:
    """Carry the connection to its end, and close `client`, which must not block. Raises nothing but cancellation."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with client, server:
        try:
            for option in _KEEPALIVE:
                server.setsockopt(*option)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(server, target)
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(client, server), name="relay to the target")
                group.create_task(_copy(server, client), name="relay to the client")
        except* OSError:
            for each in (client, server):
                reset_on_close(each)


def reset_on_close(connection: socket.socket) -> None:
    """Let the peer see a failure, not an end, when the socket is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, PIECE_BYTES):
        await loop.sock_sendall(target, data)
        # Neither call waits while both sockets are ready: without this, a fast copy would stop all else.
        await asyncio.sleep(0)
    target.shutdown(socket.SHUT_WR)
