"""Connections to the engine's socket that become a plain stream of bytes (HTTP upgrade).

Owns one connection each. The version of the API and the form of errors are the client's. An HTTP library would read
ahead of the upgrade, and would not close one direction alone; so the few lines of HTTP are written here.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from agent.runtime.client import EngineClient, Request
from agent.runtime.faults import FIRST_ERROR, FIRST_SERVER_ERROR, EngineError, error_from_answer, translated
from agent.runtime.process import PIECE_BYTES

_UPGRADED: Final = 101
_MAX_ANSWER_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Connection:
    """Both directions of an upgraded connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self, *, flush_s: float) -> None:
        """Close it; what the engine has not taken after `flush_s` seconds is lost.

        A process may never read its input, and closing alone would wait for that as long as it runs.
        """
        self.writer.close()
        if self.writer.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(flush_s, self.writer.transport.abort)


async def upgrade(client: EngineClient, request: Request) -> Connection:
    """Send the request, after whose answer the connection is a stream; the caller closes it.

    Raises EngineError for an answer that is an error, EngineGone, TimedOut.
    """
    try:
        return await _upgraded(client, request)
    except EngineError as error:
        if not client.replaced(error):
            raise
    return await _upgraded(client, request)


async def _upgraded(client: EngineClient, request: Request) -> Connection:
    with translated(request.what):
        async with asyncio.timeout(client.limits.call_s):
            target = f"{await client.versioned(request.path)}?{urlencode(request.parameters or {})}"
            connection = Connection(*await asyncio.open_unix_connection(str(client.socket), limit=PIECE_BYTES))
            try:
                await _send(connection.writer, request, target)
                status, length = await _head(connection.reader)
                if status == _UPGRADED:
                    return connection
                if status < FIRST_ERROR:
                    raise EngineError(FIRST_SERVER_ERROR, f"status {status} in place of an upgraded connection")
                text = await connection.reader.readexactly(min(length, _MAX_ANSWER_BYTES))
                raise error_from_answer(status, text)
            except asyncio.IncompleteReadError as error:
                connection.writer.close()
                raise ConnectionResetError("it closed the connection") from error
            except BaseException:
                connection.writer.close()
                raise


async def _send(writer: asyncio.StreamWriter, request: Request, target: str) -> None:
    content = b"" if request.json is None else json.dumps(request.json).encode()
    head = (
        f"{request.method} {target} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Status and Content-Length (0 without one) of an answer. Raises ConnectionError if it is not HTTP."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *fields = head.split("\r\n")
        lengths = [
            value for name, _, value in (field.partition(":") for field in fields) if name.lower() == "content-length"
        ]
        return int(first.split(" ", 2)[1]), int(lengths[0]) if lengths else 0
    except (ValueError, IndexError, asyncio.LimitOverrunError) as error:
        raise ConnectionError(f"its answer is not HTTP: {error}") from error
