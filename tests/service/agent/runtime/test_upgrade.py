"""Upgraded connections to an engine that takes nothing any more."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from agent.runtime.client import EngineClient, Request
from agent.runtime.upgrade import upgrade

_VERSION = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_UPGRADED = b"HTTP/1.1 101 UPGRADED\r\n\r\n"
_LONG = bytes(8 << 20)
"""More than both sides' buffers take."""


@pytest.mark.timeout(30)
async def test_input_that_no_process_reads_keeps_no_connection_open(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(_VERSION if b"/version" in request else _UPGRADED)
        await over.wait()
        writer.transport.abort()

    client = EngineClient(tmp_path / "s")
    async with await asyncio.start_unix_server(serve, tmp_path / "s"):
        connection = await upgrade(client, Request("POST", "/attach", "attach"))
        connection.writer.write(_LONG)
        assert connection.writer.transport.get_write_buffer_size()
        connection.close(flush_s=0.0)
        with contextlib.suppress(ConnectionError):
            await connection.writer.wait_closed()
        assert not connection.writer.transport.get_write_buffer_size()
        await client.close()
        over.set()
