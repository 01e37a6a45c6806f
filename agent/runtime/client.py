"""EngineClient: HTTP requests to a container engine on its Unix socket, with a deadline for each.

Owns the connections, the places of calls in progress, and the version of the API (versions.py). A request that is
cancelled ends its connection, which is how the engine learns of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from agent.runtime.body import Body
from agent.runtime.errors import EngineGone
from agent.runtime.faults import FIRST_ERROR, EngineError, error_from_answer, readable, translated
from agent.runtime.gate import Gate
from agent.runtime.versions import DOCKER, common_version, version_from_json

_OTHER_VERSION: Final = re.compile(r"client version \S+ is too (old|new)")

Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the engine may take, in seconds, and how many calls are in progress at once."""

    call_s: float = 120.0
    """The deadline of a call: an engine that is busy with a hundred containers needs several seconds."""
    look_s: float = 10.0
    """The deadline of looking at one container of many, or at a command that took too long."""
    cancelled_s: float = 2.0
    """How long the end of a command may delay a caller that was cancelled."""
    calls: int = max(4, 2 * (os.cpu_count() or 1))
    """On two cores, more than four calls at once gain nothing."""
    stuck_s: float = 5.0
    """After this time, a call does not count as one in progress any more."""
    pulls: int = 3
    pull_stuck_s: float = 10.0
    """A pull without progress for this time does not count any more."""
    pull_progress_s: float = 120.0
    """A pull without progress for this time has failed."""
    flush_s: float = 5.0
    """After this time, input that a process has not read is lost when its stream has been closed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the engine. `what` names it in errors; `path` is without the version."""

    method: str
    path: str
    what: str
    parameters: Parameters | None = None
    json: object = None
    data: bytes | None = None
    headers: Mapping[str, str] | None = None


class EngineClient:
    """Negotiates with its first request, and again if the engine was replaced by one that refuses the version."""

    def __init__(self, socket: Path, limits: Limits | None = None) -> None:
        self.socket = socket
        self.limits = limits or Limits()
        self._gate = Gate(self.limits.calls, patience_s=self.limits.stuck_s)
        self.engine = DOCKER
        """What the engine is; certain after the first call."""
        self._version = ""
        self._session: aiohttp.ClientSession | None = None

    async def call(self, request: Request, *, within_s: float = 0.0, at_once: bool = False) -> Any:
        """The JSON of the answer; None without one. `within_s`: 0.0 means the deadline of calls.

        `at_once`: do not wait for a place among the calls in progress. Raises EngineError for an answer that is an
        error, EngineGone, TimedOut.
        """
        place: AbstractAsyncContextManager[object] = nullcontext() if at_once else self._gate.entered()
        async with place:
            with translated(request.what):
                async with asyncio.timeout(within_s or self.limits.call_s), self._answer(request) as answer:
                    text = await answer.read()
                return json.loads(text) if text.strip() else None

    @asynccontextmanager
    async def stream(self, request: Request, *, answer_s: float | None = None) -> AsyncIterator[Body]:
        """The body of an answer that takes its time. Leaving the block ends the request.

        `answer_s` is the deadline of the answer's beginning; None: no deadline. Raises as `call`.
        """
        opening = self._answer(request)
        with translated(request.what):
            async with asyncio.timeout(answer_s):
                answer = await opening.__aenter__()
        try:
            yield Body(answer.content, request.what)
        finally:
            answer.close()
            await opening.__aexit__(None, None, None)

    async def versioned(self, path: str) -> str:
        """The path in the negotiated version of the API. Raises EngineError, aiohttp's errors, OSError, ValueError."""
        if not self._version:
            async with self._send("GET", "/version") as answer:
                text = await answer.read()
                if answer.status >= FIRST_ERROR:
                    raise error_from_answer(answer.status, text)
                known = json.loads(text)
            with readable("version"):
                self.engine = version_from_json({"Version": "", **known}).name
                self._version = common_version(str(known.get("MinAPIVersion", "")))
        return f"/v{self._version}{path}"

    def replaced(self, error: EngineError) -> bool:
        """Whether the error says that another engine is behind the socket now: the version is negotiated again."""
        if not _OTHER_VERSION.search(error.message):
            return False
        self._version = ""
        return True

    async def close(self) -> None:
        """Close all connections; calls in progress fail."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def _answer(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to the request, which is sent twice if the engine refuses only the version."""
        try:
            async with self._answer_once(request) as answer:
                yield answer
                return
        except EngineError as error:
            if not self.replaced(error):
                raise
            refusal = error
        try:
            async with self._answer_once(request) as answer:
                yield answer
        except EngineError as error:
            if self.replaced(error):
                raise EngineGone(f"{request.what}: no common version of the API: {refusal}") from error
            raise

    @asynccontextmanager
    async def _answer_once(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        target = request.path if request.path == "/version" else await self.versioned(request.path)
        async with self._send(
            request.method,
            target,
            params=request.parameters,
            json=request.json,
            data=request.data,
            headers=request.headers,
        ) as answer:
            if answer.status >= FIRST_ERROR:
                raise error_from_answer(answer.status, await answer.read())
            yield answer

    def _send(self, method: str, target: str, **options: Any) -> Any:
        if self._session is None:
            # No bound on connections: the gate bounds the calls. No time-out: each call has its own.
            self._session = aiohttp.ClientSession(
                "http://engine",
                connector=aiohttp.UnixConnector(path=str(self.socket), limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            )
        return self._session.request(method, target, **options)
