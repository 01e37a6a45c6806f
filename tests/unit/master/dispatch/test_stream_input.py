"""The input of a stream, on its way from a client to an agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest_asyncio

from master.dispatch.agentstreams import AgentStream
from master.dispatch.sessions import Session
from proto.contract import STREAM_CHUNK_BYTES as CHUNK
from proto.gen import session_pb2
from tests.fakes.clock import settle


class Agent:
    """Takes messages one by one, as the test lets it."""

    def __init__(self) -> None:
        self.taken: list[session_pb2.StreamDown] = []
        self.takes = asyncio.Event()

    async def read(self) -> session_pb2.StreamUp | None:
        raise AssertionError("not part of these tests")

    async def send(self, message: session_pb2.StreamDown) -> None:
        await self.takes.wait()
        self.taken.append(message)

    @property
    def sizes(self) -> list[int]:
        return [len(message.data) for message in self.taken]


@pytest_asyncio.fixture
async def stream() -> AsyncIterator[AgentStream]:
    stream = AgentStream(cast("Session", SimpleNamespace(node="n")), "pod", "stream")
    stream.agent = Agent()
    feeding = asyncio.create_task(stream.feed())
    yield stream
    stream.close()
    await feeding


def agent_of(stream: AgentStream) -> Agent:
    assert isinstance(stream.agent, Agent)
    return stream.agent


async def test_small_pieces_that_follow_each_other_go_together(stream: AgentStream) -> None:
    stream.take(session_pb2.StreamUp(credit_bytes=10 * CHUNK))
    for _ in range(3):
        await stream.write(b"abc")
    agent_of(stream).takes.set()
    await stream.close_input()
    data = [message.data for message in agent_of(stream).taken]
    assert data == [b"abcabcabc", b""]
    assert agent_of(stream).taken[-1].end


async def test_a_writer_waits_for_an_agent_that_takes_nothing(stream: AgentStream) -> None:
    stream.take(session_pb2.StreamUp(credit_bytes=10 * CHUNK))
    writing = asyncio.create_task(stream.write(bytes(2 * CHUNK)))
    await settle()
    assert not writing.done()
    agent_of(stream).takes.set()
    await writing
    await stream.close_input()
    assert agent_of(stream).sizes == [CHUNK, CHUNK, 0]


async def test_no_more_is_sent_than_the_agent_has_granted(stream: AgentStream) -> None:
    agent_of(stream).takes.set()
    stream.take(session_pb2.StreamUp(credit_bytes=2))
    await stream.write(b"abc")
    await settle()
    assert agent_of(stream).sizes == [2]
    stream.take(session_pb2.StreamUp(credit_bytes=2))
    await settle()
    assert agent_of(stream).sizes == [2, 1]


async def test_the_end_of_the_stream_ends_the_waiting(stream: AgentStream) -> None:
    writing = asyncio.create_task(stream.write(bytes(CHUNK)))
    await settle()
    assert not writing.done()
    stream.end(None)
    await writing
    await stream.close_input()
    assert not agent_of(stream).taken
