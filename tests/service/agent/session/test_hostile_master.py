"""Masters that violate the contract: the agent applies nothing, keeps its pods running, and reconnects.

The agent's session runs over real gRPC and TLS against a server whose answers the test chooses.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.wire.sanity import sensible
from master.pki import Pki
from proto.gen import session_pb2
from tests.fakes.hostile import told_within
from tests.fakes.hostile_master import (
    HostileMaster,
    again,
    hello,
    holds_the_good_state,
    restart,
    settled,
)
from tests.fakes.sessions import AgentEnd, prepare_pki, until

pytestmark = pytest.mark.timeout(60)


HELLOS = [
    pytest.param(b"\xff\xff", "HelloReply cannot be read", id="noise"),
    pytest.param(b"", "protocol version 0", id="empty"),
    pytest.param(hello(cluster_id="another").SerializeToString(), "of cluster another", id="another cluster"),
    pytest.param(hello(protocol_version=4).SerializeToString(), "protocol version 4", id="newer protocol"),
    pytest.param(hello(protocol_version=0).SerializeToString(), "protocol version 0", id="older protocol"),
    pytest.param(hello(cluster_id="c\n" * 100_000).SerializeToString(), "of cluster c c c", id="endless cluster"),
]


@pytest.mark.parametrize(("reply", "logged"), HELLOS)
async def test_a_hello_that_does_not_fit_opens_no_session(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: bytes, logged: str
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        streams = master.streams
        with told_within(caplog, 2):
            master.hello = reply
            await restart(master)
            await again(master)
        assert logged in caplog.text
        assert master.streams == streams


@pytest.mark.parametrize(
    ("sent", "heartbeat_ms", "grace_ms"),
    [
        pytest.param((0, 0), 10_000, 40_000, id="none"),
        pytest.param((1, 1), 10, 20, id="without pause"),
        pytest.param((2**32 - 1, 2**32 - 1), 300_000, 24 * 3600 * 1000, id="once in 49 days"),
        pytest.param((1000, 10), 1000, 2000, id="no time to answer"),
        pytest.param((10_000, 40_000), 10_000, 40_000, id="good"),
    ],
)
def test_periods_are_brought_within_bounds(sent: tuple[int, int], heartbeat_ms: int, grace_ms: int) -> None:
    periods = sensible(session_pb2.Periods(next_heartbeat_ms=sent[0], grace_ms=sent[1]))
    assert (periods.next_heartbeat_ms, periods.grace_ms) == (heartbeat_ms, grace_ms)


async def test_an_unreadable_heartbeat_reply_ends_only_the_session(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        with told_within(caplog, 2):
            master.heartbeat = b"\xff"
            await again(master)
        assert "HeartbeatReply cannot be read" in caplog.text


async def test_silence_after_the_hello_changes_nothing(pki: Pki, tmp_path: Path) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        master.desired = []
        await restart(master)
        beats = master.beats
        await until(lambda: master.beats > beats + 5)
        assert holds_the_good_state(agent)


async def test_a_master_of_another_authority_is_not_trusted(pki: Pki, tmp_path: Path) -> None:
    from dataclasses import replace

    master = HostileMaster()
    async with master.listening(prepare_pki(tmp_path / "other")) as identity:
        ours = replace(identity, ca=pki.ca_pem.decode())
        agent = AgentEnd(ours, tmp_path)
        async with agent.running():
            await asyncio.sleep(0)
            await until(lambda: agent.loop._warned)
        assert master.hellos == 0
        assert "unavailable" in agent.loop._warned
