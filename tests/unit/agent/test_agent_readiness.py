"""The agent notifies its supervisor once its node has started, with or without a master."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from agent import assembly
from agent.config import AgentConfig
from agent.errors import AgentError
from agent.identity.files import Identity
from agent.main import EXIT_STOPPED, _serve


class Parts:
    """A node that starts when the test lets it, or fails. The session waits for a master forever."""

    def __init__(self) -> None:
        self.may_start = asyncio.Event()
        self.failure: Exception | None = None
        self.notified: list[str] = []
        self.ready = asyncio.Event()
        self.running = False
        self.ended_while_running = False

    async def run(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.running = True
        try:
            await asyncio.Event().wait()
        finally:
            self.running = False

    async def started(self) -> None:
        await self.may_start.wait()

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        self.notified.append("ready")
        self.ready.set()
        try:
            yield
        finally:
            self.notified.append("stopping")


class Session:
    async def run(self) -> None:
        await asyncio.Event().wait()


class End:
    """The shutdown, which needs the node to run on meanwhile."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        await asyncio.sleep(0)
        self._parts.ended_while_running = self._parts.running


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    made = Parts()

    def assemble(*_: object) -> tuple[Parts, Session, End]:
        return made, Session(), End(made)

    monkeypatch.setattr(assembly, "assemble", assemble)
    return made


@pytest.fixture
def serve(parts: Parts, tmp_path: Path) -> Callable[[], Awaitable[int]]:
    config = AgentConfig(state_dir=tmp_path, node_name="n1", master="https://10.0.0.1:6443")
    return lambda: _serve(config, cast(Identity, None), parts.supervised)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def test_it_is_ready_when_its_node_has_started_even_without_a_master(
    parts: Parts, serve: Callable[[], Awaitable[int]]
) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_result(serve))
        for _ in range(5):
            await asyncio.sleep(0)
        assert parts.notified == [], "the node has not started yet"
        parts.may_start.set()
        await parts.ready.wait()
        stop()
        assert await serving == EXIT_STOPPED
    assert parts.notified == ["ready", "stopping"]
    assert parts.ended_while_running


async def test_a_node_that_fails_was_never_ready(parts: Parts, serve: Callable[[], Awaitable[int]]) -> None:
    parts.failure = AgentError("the state cannot be read")
    with pytest.raises(ExceptionGroup):
        await serve()
    assert parts.notified == []


async def test_an_agent_stopped_before_it_is_ready_ends_at_once(
    parts: Parts, serve: Callable[[], Awaitable[int]]
) -> None:
    asyncio.get_running_loop().call_later(0.01, stop)
    assert await asyncio.wait_for(_result(serve), 10) == EXIT_STOPPED
    assert parts.notified == []


async def _result(serve: Callable[[], Awaitable[int]]) -> int:
    return await serve()
