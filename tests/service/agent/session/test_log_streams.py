"""A container's log, from the agent to the reader at the master, over real gRPC and TLS on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from agent.model import LogRequest
from master.api.errors import BadRequest, NodeUnreachable, TooManyRequests
from master.dispatch.shares import MAX_OF_POD
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
        (stream,) = master.streams._streams.values()
        await asyncio.sleep(0.1)
        waiting = sum(len(piece[1]) for piece in stream._output._queue if piece)  # type: ignore[attr-defined]
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


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_a_followed_log_whose_session_ends_ends_with_an_error(
    master: MasterEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """gRPC shows the end of a cancelled call like a regular one; older agents do not mark the regular end."""
    monkeypatch.setattr("agent.session.session.contract.PROTOCOL_VERSION", version)
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks, agent.machine.follow = [b"one line\n"], True
    async with agent.running():
        await until(lambda: agent.desired.complete)
        session = master.sessions.current("node-1")
        assert session is not None and session.version == version
        chunks = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions(follow=True))
        assert await anext(chunks) == b"one line\n"
    with pytest.raises(NodeUnreachable, match="connection to node node-1 was lost; the log of pod default/web ends"):
        await anext(chunks)


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_a_log_that_ends_regularly_ends_without_an_error(
    master: MasterEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    monkeypatch.setattr("agent.session.session.contract.PROTOCOL_VERSION", version)
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks = [b"one line\n"]
    async with agent.running():
        await until(lambda: agent.desired.complete)
        chunks = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions(follow=True))
        assert [chunk async for chunk in chunks] == [b"one line\n"]


async def test_the_logs_of_a_pod_leave_room_for_those_of_others(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks, agent.machine.follow = [b"one line\n"], True
    async with agent.running():
        await until(lambda: agent.desired.complete)
        logs = [
            master.logs.open("node-1", "default", "web", "uid", "app", LogOptions(follow=True))
            for _ in range(MAX_OF_POD)
        ]
        for chunks in logs:
            assert await anext(chunks) == b"one line\n"
        with pytest.raises(TooManyRequests, match="pod default/web has 32 logs open already"):
            await anext(master.logs.open("node-1", "default", "web", "uid", "app", LogOptions()))
        logs.append(master.logs.open("node-1", "default", "other", "uid2", "app", LogOptions(follow=True)))
        assert await anext(logs[-1]) == b"one line\n"
        for chunks in logs:
            await chunks.aclose()  # type: ignore[attr-defined]
        again = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions(follow=True))
        assert await anext(again) == b"one line\n"
        await again.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(LogOptions(since_seconds=999_999 * 3600), id="since=999999h"),
        pytest.param(LogOptions(since_time="0001-01-01T00:00:00Z"), id="year 1"),
        pytest.param(LogOptions(since_time="9999-12-31T23:59:59Z", tail_lines=2**63 - 1), id="year 9999"),
    ],
)
async def test_a_users_number_does_not_end_the_session(master: MasterEnd, tmp_path: Path, options: LogOptions) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    agent.machine.chunks = [b"one line\n"]
    async with agent.running():
        await until(lambda: agent.desired.complete)
        session = master.sessions.current("node-1")
        chunks = master.logs.open("node-1", "default", "web", "uid", "app", options)
        assert [chunk async for chunk in chunks] == [b"one line\n"]
        assert master.sessions.current("node-1") is session


async def test_a_log_that_waits_for_a_session_that_ends_is_refused_at_once(master: MasterEnd, tmp_path: Path) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)
    async with agent.running():
        await until(lambda: agent.desired.complete)
    chunks = master.logs.open("node-1", "default", "web", "uid", "app", LogOptions())
    waiting = asyncio.ensure_future(anext(chunks))
    await until(lambda: master.streams._streams)
    master.sessions.end_session("node-1", "the Node was deleted")
    with pytest.raises(NodeUnreachable, match=r"has lost its session \(the Node was deleted\)"):
        await waiting
