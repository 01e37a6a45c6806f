"""Requests for logs that violate the contract: each costs its own stream only, and their number is limited."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.session.streams import MAX_ANSWERS
from master.pki import Pki
from proto.gen import session_pb2
from tests.fakes.hostile_master import (
    GOOD,
    HostileMaster,
    Message,
    encoded,
    restart,
    settled,
)
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(60)


def _asked(stream_id: str = "s1", **values: Any) -> session_pb2.StreamRequest:
    """A valid request for a log, except for the changed fields."""
    usual: dict[str, Any] = {"pod_uid": "good", "namespace": "default", "pod": "web", "container": "app"}
    return session_pb2.StreamRequest(stream_id=stream_id, logs=session_pb2.LogRequest(**usual | values))


STREAMS = [
    pytest.param(session_pb2.StreamRequest(stream_id="s1"), "knows no such stream", id="unknown kind"),
    pytest.param(_asked(pod_uid="../x"), "pod uid: '../x'", id="uid that is a path"),
    pytest.param(_asked(since_unix_s=-1), "since_unix_s: -1 s since the epoch", id="before 1970"),
    pytest.param(_asked(since_unix_s=2**62), "since_unix_s", id="end of time"),
    pytest.param(_asked(tail_lines=-1), "tail_lines: -1 is negative", id="lines -1"),
    pytest.param(_asked(since_s=-1), "since_s: -1 is negative", id="seconds -1"),
    pytest.param(_asked(limit_bytes=-1), "limit_bytes: -1 is negative", id="bytes -1"),
]


@pytest.mark.parametrize(("request_", "says"), STREAMS)
async def test_a_stream_request_that_is_refused_costs_that_stream_only(
    pki: Pki, tmp_path: Path, request_: session_pb2.StreamRequest, says: str
) -> None:
    """The reader gets the reason; another stream of the node goes on."""
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        agent.machine.chunks, agent.machine.follow = [b"a line"], True
        master.desired = encoded(GOOD, Message(open_stream=_asked("other")), Message(open_stream=request_))
        await restart(master)
        await until(lambda: b"a line" in master.data.get("other", []) and "s1" in master.errors)
        assert says in master.errors["s1"]
        hellos, beats = master.hellos, master.beats
        await until(lambda: master.beats > beats + 3)
        assert master.hellos == hellos and not agent.machine.log_ended.is_set()
        master.desired = encoded(GOOD)


@pytest.mark.parametrize("stream_id", ["", "s" * 1_000_000, "a/b"], ids=["none", "endless", "path"])
async def test_a_stream_request_without_a_valid_id_is_not_answered(pki: Pki, tmp_path: Path, stream_id: str) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        master.desired = encoded(GOOD, Message(open_stream=_asked(stream_id)))
        await restart(master)
        hellos, beats = master.hellos, master.beats
        await until(lambda: master.beats > beats + 3)
        assert (master.hellos, master.called) == (hellos, 0)


async def test_a_thousand_stream_requests_open_a_limited_number_of_calls(pki: Pki, tmp_path: Path) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        agent.machine.follow = True
        requests = [
            session_pb2.StreamRequest(
                stream_id=f"s{number}", logs=session_pb2.LogRequest(pod_uid="good", namespace="default", pod="web")
            )
            for number in range(1000)
        ]
        master.desired = encoded(GOOD, *(Message(open_stream=request) for request in requests))
        await restart(master)
        await until(lambda: master.called >= 64)
        streams = [task for task in asyncio.all_tasks() if task.get_name().startswith("stream s")]
        assert len(streams) <= 2 * MAX_ANSWERS
        await until(lambda: "more than 64 logs are open on this node; try again" in master.errors.values())
        assert master.called <= 1000
        hellos = master.hellos
        beats = master.beats
        await until(lambda: master.beats > beats + 2)
        assert master.hellos == hellos, "the session continues"
        del streams  # a task refers to its call, and the call to its connection
        master.desired = encoded(GOOD)
