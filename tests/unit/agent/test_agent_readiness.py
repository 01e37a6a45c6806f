"""When the agent tells its supervisor that it is ready: once its node has started, with or without a master."""

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
    """A node that starts when the test says so, or fails; a session that waits for a master for ever."""

    def __init__(self) -> None:
        self.may_start = asyncio.Event()
        self.failure: Exception | None = None
        self.told: list[str] = []
        self.ready = asyncio.Event()

    async def run(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()

    async def started(self) -> None:
        await self.may_start.wait()

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        self.told.append("ready")
        self.ready.set()
        try:
            yield
        finally:
            self.told.append("stopping")


class Session:
    async def run(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    made = Parts()

    def assemble(*_: object) -> tuple[Parts, Session]:
        return made, Session()

    monkeypatch.setattr(assembly, "assemble", assemble)
    return made


@pytest.fixture
def serve(parts: Parts, tmp_path: Path) -> Callable[[], Awaitable[int]]:
    config = AgentConfig(state_dir=tmp_path, node_name="n1", master="https://10.0.0.1:6443")
    return lambda: _serve(config, cast(Identity, None), parts.supervised)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def test_it_is_ready_when_its_node_has_started_and_no_master_answers(
    parts: Parts, serve: Callable[[], Awaitable[int]]
) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(_result(serve))
        for _ in range(5):
            await asyncio.sleep(0)
        assert parts.told == [], "it can do nothing yet"
        parts.may_start.set()
        await parts.ready.wait()
        stop()
        assert await serving == EXIT_STOPPED
    assert parts.told == ["ready", "stopping"]


async def test_a_node_that_fails_was_never_ready(parts: Parts, serve: Callable[[], Awaitable[int]]) -> None:
    parts.failure = AgentError("the state cannot be read")
    with pytest.raises(ExceptionGroup):
        await serve()
    assert parts.told == []


async def test_who_is_stopped_before_ends_at_once(parts: Parts, serve: Callable[[], Awaitable[int]]) -> None:
    asyncio.get_running_loop().call_later(0.01, stop)
    assert await asyncio.wait_for(_result(serve), 10) == EXIT_STOPPED
    assert parts.told == []


async def _result(serve: Callable[[], Awaitable[int]]) -> int:
    return await serve()
