"""Connections to the engine's socket that become a plain stream of bytes (HTTP upgrade), and the calls around them.

Owns one connection a call, on the event loop. Docker's SDK cannot do this: it reads ahead of the upgrade, and blocks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from agent.runtime.client import common_version
from agent.runtime.errors import (
    BadRequest,
    EngineFault,
    EngineGone,
    NoSuchContainer,
    NotRunning,
    RuntimeFault,
    TimedOut,
)

_UPGRADED: Final = 101
_UPGRADE_HEADERS: Final = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
_MAX_ANSWER_BYTES: Final = 4 << 20
_ANSWER_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Connection:
    """Both directions of an upgraded connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class EngineSocket:
    """The engine behind a Unix socket. Calls raise RuntimeFault only; `what` names the call in messages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version = ""

    async def call(self, method: str, target: str, *, what: str, body: object = None) -> Any:
        """The JSON of the answer; None without one."""
        status, text = await self._exchange(method, await self._versioned(target), what, body)
        if status >= 400:
            raise _fault(status, text, what)
        return json.loads(text) if text.strip() else None

    async def upgrade(self, target: str, *, what: str, body: object = None) -> Connection:
        """POST, after whose answer the connection is a stream; the caller closes its writer."""
        versioned = await self._versioned(target)
        async with _bounded(what):
            connection = await self._connect()
            try:
                await _send(connection.writer, "1.1", "POST", versioned, body, _UPGRADE_HEADERS)
                status, length = await _head(connection.reader)
                if status == _UPGRADED:
                    return connection
                text = await connection.reader.readexactly(min(length, _MAX_ANSWER_BYTES))
                raise _fault(status, text, what)
            except BaseException:
                connection.writer.close()
                raise

    async def _versioned(self, target: str) -> str:
        """The target in the oldest version of the API that both sides support, as in client.py."""
        if not self._version:
            _, text = await self._exchange("GET", "/version", "version", None)
            answer = json.loads(text or b"{}")
            minimum = str(answer.get("MinAPIVersion", "")) if isinstance(answer, dict) else ""
            self._version = common_version(minimum)
        return f"/v{self._version}{target}"

    async def _exchange(self, method: str, target: str, what: str, body: object) -> tuple[int, bytes]:
        async with _bounded(what):
            connection = await self._connect()
            try:
                # An engine answers HTTP/1.0 in one piece, and then closes the connection.
                await _send(connection.writer, "1.0", method, target, body, "")
                status, _ = await _head(connection.reader)
                return status, await connection.reader.read(-1)
            finally:
                connection.writer.close()

    async def _connect(self) -> Connection:
        return Connection(*await asyncio.open_unix_connection(str(self._path)))


@asynccontextmanager
async def _bounded(what: str) -> AsyncIterator[None]:
    """The deadline of an answer, and the runtime's errors for those of the connection."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except TimeoutError as error:
        raise TimedOut(f"{what}: the container engine did not answer in {_ANSWER_S:g} s") from error
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise EngineGone(f"{what}: the container engine does not answer: {error}") from error


async def _send(writer: asyncio.StreamWriter, http: str, method: str, target: str, body: object, headers: str) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {target} HTTP/{http}\r\nHost: engine\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    await writer.drain()


async def _head(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Status and Content-Length (0 without one) of an answer. Raises ValueError if it is no HTTP."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *fields = head.split("\r\n")
    lengths = [
        value for name, _, value in (field.partition(":") for field in fields) if name.lower() == "content-length"
    ]
    return int(first.split(" ", 2)[1]), int(lengths[0]) if lengths else 0


def _fault(status: int, text: bytes, what: str) -> RuntimeFault:
    try:
        message = f"{what}: {json.loads(text)['message']}"
    except (ValueError, TypeError, KeyError):
        message = f"{what}: {text.decode(errors='replace').strip() or f'status {status}'}"
    # Podman answers 500 for a container that has ended, and names the cause only in its text.
    if status == 409 or "container state improper" in message:
        return NotRunning(message)
    if status == 404:
        return NoSuchContainer(message)
    return BadRequest(message) if status < 500 else EngineFault(message)


def query(path: str, **parameters: object) -> str:
    """A target with parameters; booleans as the engine writes them."""
    return f"{path}?{urlencode({name: _text(value) for name, value in parameters.items()})}"


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
