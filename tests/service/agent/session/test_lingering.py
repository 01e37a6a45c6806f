"""Streams that outlive the session in which they began, because only the node's certificate has changed."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from agent.runtime.fakeprocess import FakeProcess
from agent.session.errors import Renewed
from agent.session.lingering import MAX_CONNECTIONS, Lingering
from tests.fakes.processbed import Bed
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(30)


async def renewed(bed: Bed) -> None:
    """The agent renews its certificate, and says Hello again."""
    before, certificate = bed.master.sessions.current("node-1"), bed.agent.renewal.identity.certificate
    identity = bed.agent.renewal.identity
    bed.agent.clock.offset_s = (identity.not_after - identity.not_before) * 0.8
    bed.agent.renewal._clock = bed.agent.clock
    await until(lambda: bed.agent.renewal.identity.certificate != certificate)
    bed.agent.clock.offset_s = 0
    await until(lambda: bed.master.sessions.current("node-1") not in (None, before))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent looks all the time whether its certificate is to be renewed. Comes before the bed."""
    monkeypatch.setattr("agent.session.renewal.CHECK_S", 0.05)


async def test_a_process_outlives_the_renewal_of_the_certificate(impatient: None, bed: Bed) -> None:
    process = bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec() as socket:
        process.put(b"before")
        assert await socket.receive_bytes() == b"\x01before"
        await renewed(bed)
        assert len(bed.agent.loop._lingering) == 1
        await socket.send_bytes(b"\x00input")
        await until(lambda: bytes(process.input) == b"input")
        process.put(b"after")
        assert await socket.receive_bytes() == b"\x01after"
        process.end(5)
        status = json.loads((await socket.receive_bytes())[1:])
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "5"}]
    await until(lambda: not len(bed.agent.loop._lingering))
    # New streams use the new session.
    second = bed.agent.machine.processes["run"] = FakeProcess()
    second.put(b"new")
    async with bed.exec() as socket:
        assert await socket.receive_bytes() == b"\x01new"


async def test_an_agent_that_stops_ends_the_streams_of_earlier_sessions(impatient: None, bed: Bed) -> None:
    bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec() as socket:
        await until(lambda: bed.agent.machine.process_requests)
        await renewed(bed)
        await bed.agent.loop._lingering.aclose()
        status = json.loads((await socket.receive_bytes())[1:])
    assert "connection to node node-1 was lost" in status["message"]
    await bed.agent.machine.process_ended.wait()


async def test_another_address_ends_the_streams(bed: Bed) -> None:
    """The connection from the old address may be dead without any sign."""
    bed.agent.machine.processes["run"] = FakeProcess()
    async with bed.exec() as socket:
        await until(lambda: bed.agent.machine.process_requests)
        bed.agent.machine.info = _moved(bed.agent.machine.info)
        status = json.loads((await socket.receive_bytes())[1:])
    assert status["status"] == "Failure" and not len(bed.agent.loop._lingering)


def _moved(info: Any) -> Any:
    return replace(info, address="10.0.0.2")


async def test_the_number_of_connections_is_limited() -> None:
    """The oldest is closed for a new one, with its streams."""
    lingering, closed = Lingering(), []

    async def kept(number: int) -> asyncio.Task[None]:
        stack = AsyncExitStack()
        stack.callback(closed.append, number)
        stream = asyncio.create_task(asyncio.sleep(3600))
        await lingering.keep(stack, {stream})
        return stream

    streams = [await kept(number) for number in range(MAX_CONNECTIONS + 1)]
    assert (closed, len(lingering)) == ([0], MAX_CONNECTIONS)
    assert [stream.cancelled() for stream in streams] == [True, False, False]
    await lingering.aclose()
    assert closed == [0, 1, 2] and all(stream.cancelled() for stream in streams)


def test_only_a_new_certificate_leaves_the_connection() -> None:
    assert Renewed("the certificate was renewed", works=True).works and not Renewed("another address").works
