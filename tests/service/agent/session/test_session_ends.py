"""The end of a session: its connection is closed, and no event counts twice. Real gRPC on loopback."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from agent.session.channel import Master
from master import kinds
from proto import contract
from proto.gen import observed_pb2, session_pb2
from tests.fakes.sessions import CLUSTER_ID, AgentEnd, MasterEnd, master_end, prepare_pki, until

pytestmark = pytest.mark.timeout(30)


@pytest_asyncio.fixture
async def master(tmp_path: Path) -> AsyncIterator[MasterEnd]:
    async with master_end(prepare_pki(tmp_path / "master")) as end:
        yield end


async def new_session(connection: Master) -> str:
    """Open a session as an agent does; returns its id."""
    hello = session_pb2.HelloRequest(
        protocol_version=contract.PROTOCOL_VERSION,
        cluster_id=CLUSTER_ID,
        node=observed_pb2.NodeInfo(machine_id="machine-1", address="10.0.0.1"),
        capacity=observed_pb2.Capacity(cpu_millis=1000, memory_bytes=1 << 30, pods=10),
    )
    return (await connection.hello(hello, 5)).session_id


async def test_a_session_closes_its_connection_without_waiting_for_garbage_collection(
    master: MasterEnd, tmp_path: Path
) -> None:
    agent = AgentEnd(await master.identity("node-1"), tmp_path)

    def connections() -> int:
        connections = psutil.Process().net_connections("tcp")
        return sum(
            connection.status == "ESTABLISHED" and connection.raddr.port == master.server.port
            for connection in connections
        )

    async with agent.running():
        gc.disable()
        try:
            for _ in range(3):
                await until(lambda: agent.desired.complete)
                await until(lambda: connections() == 1)
                agent.desired.complete = False
                master.sessions.end_session("node-1", "silent for too long")
        finally:
            gc.enable()


async def test_events_sent_again_after_a_lost_answer_count_once(master: MasterEnd) -> None:
    identity = await master.identity("node-1")
    first, second = (
        observed_pb2.Event(
            kind="Node", name="node-1", type="Normal", reason=reason, message="m", time=Timestamp(seconds=9)
        )
        for reason in ("First", "Second")
    )
    for batch in ([first], [first, second], [first, second]):
        async with Master(identity) as connection:
            session = await new_session(connection)
            await connection.report_events(session_pb2.EventReport(session_id=session, events=batch), 5)
    second.time.nanos = 1000
    async with Master(identity) as connection:
        session = await new_session(connection)
        await connection.report_events(session_pb2.EventReport(session_id=session, events=[second]), 5)
    await until(lambda: [event.count for event in master.cache.list(kinds.EVENT) if event.reason == "Second"] == [2])
    assert [event.count for event in master.cache.list(kinds.EVENT) if event.reason == "First"] == [1]
