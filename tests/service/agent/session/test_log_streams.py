"""A container's log, from the agent to the reader at the master, over real gRPC and TLS on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from agent.model import LogRequest
from master.api.errors import BadRequest, NodeUnreachable
from master.kinds.core.pod.logs import LogOptions
from master.pki import Pki
from proto import contract
from tests.fakes.sessions import AgentEnd, MasterEnd, master_end, until

pytestmark = pytest.mark.timeout(30)


@pytest_asyncio.fixture
async def master(pki: Pki) -> AsyncIterator[MasterEnd]:
    async with master_end(pki) as end:
        yield end


async def test_a_log_flows_to_its_reader(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks = [b"x" * 100_000] * 20
    async with agent.running():
        await until(lambda: agent.desired.complete)
        size = 0
        async for chunk in master.logs.open("node-1", "default", "web", "uid", "app", LogOptions()):
            size += len(chunk)
            assert len(chunk) <= contract.STREAM_CHUNK_BYTES
    assert size == 2_000_000


async def test_an_agent_sends_no_more_than_the_reader_takes(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks = [b"x" * 10_000] * 1000
    async with agent.running():
        await until(lambda: agent.desired.complete)
        chunks = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions())
        await anext(chunks)
        (stream,) = master.logs._streams.values()
        await asyncio.sleep(0.1)
        waiting = sum(len(chunk or b"") for chunk in stream.chunks._queue)  # type: ignore[attr-defined]
        assert 0 < waiting <= contract.STREAM_WINDOW_BYTES
        await chunks.aclose()  # type: ignore[attr-defined]
        await agent.machine.log_ended.wait()


async def test_a_reader_that_goes_away_ends_a_followed_log(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks, agent.machine.follow = [b"one line\n"], True
    async with agent.running():
        await until(lambda: agent.desired.complete)
        chunks = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions(follow=True))
        assert await anext(chunks) == b"one line\n"
        await chunks.aclose()  # type: ignore[attr-defined]
        await agent.machine.log_ended.wait()


async def test_a_log_of_a_node_without_session_is_unreachable(master: MasterEnd) -> None:
    with pytest.raises(NodeUnreachable, match="node-9 is not connected"):
        await anext(master.logs.open("node-9", "default", "web", "uid", "app", LogOptions()))


async def test_an_error_of_the_agent_reaches_the_reader(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)

    async def fail(request: LogRequest) -> AsyncIterator[bytes]:
        from agent.errors import AgentError

        if request.container:
            raise AgentError("container app has not started yet")
        yield b""

    agent.machine.logs = fail  # type: ignore[method-assign]
    async with agent.running():
        await until(lambda: agent.desired.complete)
        with pytest.raises(BadRequest, match="has not started yet"):
            await anext(master.logs.open("node-1", "default", "web", "uid", "app", LogOptions()))


async def test_a_failing_log_affects_only_its_reader(
    master: MasterEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks = [b"fine", 3]  # type: ignore[list-item]
    async with agent.running():
        await until(lambda: master.ready("node-1") == "True")
        session = master.sessions.current("node-1")
        with pytest.raises(Exception):  # noqa: B017 - any error will do
            async with aclosing(master.logs.open("node-1", "default", "web", "uid", "app", LogOptions())) as log:
                async for _ in log:
                    pass
        await until(lambda: "log of default/web [app]: stream failed" in caplog.text)
        await asyncio.sleep(0.1)
        assert master.sessions.current("node-1") is session
