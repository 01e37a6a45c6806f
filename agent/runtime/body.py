"""Body: the body of an answer that arrives in pieces, as bytes or as JSON values.

Owns the bound on the length of a value. An engine that breaks off is an error here, not an end.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp

from agent.runtime.errors import EngineGone
from agent.runtime.faults import translated

_MAX_LINE_BYTES: Final = 16 << 20


class Body:
    """The rest of an answer. Nothing is read ahead but what the connection buffers."""

    def __init__(self, content: aiohttp.StreamReader, what: str) -> None:
        self._content = content
        self._what = what

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive. Raises EngineGone if the answer breaks off."""
        with translated(self._what):
            async for piece in self._content.iter_any():
                yield piece

    async def values(self) -> AsyncGenerator[Any, None]:
        """The JSON values of a body that has one in each line. Raises EngineGone if it breaks off, EngineFault for
        what is not JSON."""
        rest = b""
        async for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                if line.strip():
                    yield self._value(line)
            if len(rest) > _MAX_LINE_BYTES:
                raise EngineGone(f"{self._what}: the engine sent a line of more than {_MAX_LINE_BYTES} bytes")
        if rest.strip():
            yield self._value(rest)

    def _value(self, line: bytes) -> Any:
        with translated(self._what):
            return json.loads(line)
