"""The first release's messages, both ways: today's code reads them as they were meant, and its own answers are read by
the decoder of then. An agent of then is served from a store of then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.first_release import Line, as_it_reads, document, kind, lines, meaning, methods
from tests.unit.first_release import product as p
from tests.unit.first_release.conftest import Master

RECORDED = tuple(lines())
EVERY_FIELD: dict[str, Any] = document("protocol/every-field.json")


def today(name: str, raw: bytes) -> Any:
    return getattr(p.session_pb2, name).FromString(raw)


def test_every_call_of_the_service_was_recorded() -> None:
    assert {(line.method, line.kind) for line in RECORDED} >= {
        (name, message) for name, (up, down) in methods().items() for message in (up, down)
    }


def test_the_service_still_has_every_call() -> None:
    now = {
        each.name: (each.input_type.name, each.output_type.name)
        for each in p.session_pb2.DESCRIPTOR.services_by_name["Master"].methods
    }
    assert now.items() >= methods().items()


@pytest.mark.parametrize("name", sorted({line.kind for line in RECORDED}))
def test_recorded_messages_mean_what_they_meant_and_lose_nothing(name: str) -> None:
    sent = {line.raw for line in RECORDED if line.kind == name}
    for raw in sent:
        then, now = as_it_reads(name, raw), today(name, raw)
        assert meaning(now) == then
        now.DiscardUnknownFields()
        assert as_it_reads(name, now.SerializeToString()) == then


@pytest.mark.parametrize("variant", EVERY_FIELD)
def test_every_field_means_what_it_meant(variant: str) -> None:
    name, raw = variant.partition("/")[0], bytes.fromhex(EVERY_FIELD[variant]["hex"])
    now = today(name, raw)
    assert meaning(now) == as_it_reads(name, raw) == EVERY_FIELD[variant]["says"]
    now.DiscardUnknownFields()
    assert as_it_reads(name, now.SerializeToString()) == EVERY_FIELD[variant]["says"]


# --- an agent of then and a master of today --------------------------------------------------------------------------


class Agent:
    """node1 as it was, which speaks in bytes: everything that it sends was recorded, but for the session's id."""

    def __init__(self, master: Master, peer: p.Peer, *, version: int) -> None:
        self.master, self.peer, self.version = master, peer, version
        self.session = ""

    def sent(self, method: str, number: int = -1) -> Any:
        """A recorded message, in the present session."""
        name = methods()[method][0]
        found = [line for line in RECORDED if (line.caller, line.method, line.kind) == ("node1", method, name)]
        message = kind(name).FromString(found[number].raw)
        if "session_id" in message.DESCRIPTOR.fields_by_name:
            message.session_id = self.session
        return today(name, message.SerializeToString())

    async def hello(self) -> Any:
        """The answer, as the first release reads it."""
        request = self.sent("Hello", 0)
        if self.version == 1:
            request.highest_protocol_version = 0
            del request.trusted[:]
        reply = await self.master.service.hello(self.peer, request)
        read = kind("HelloReply").FromString(reply.SerializeToString())
        self.session = read.session_id
        return read

    async def desired(self) -> AsyncIterator[Any]:
        """What comes down the stream, as the first release reads it."""
        async for raw in self.master.service.desired_stream(self.peer, self.sent("Desired")):
            yield kind("DesiredMessage").FromString(raw)


@pytest.fixture
async def peer(master: Master) -> p.Peer:
    """node1 by its certificate."""
    (identity,) = [each for each in await master.identities.all() if each.name == "node1"]
    return p.Peer("node1", identity.fingerprint)


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def agent(master: Master, peer: p.Peer, request: pytest.FixtureRequest) -> Agent:
    return Agent(master, peer, version=request.param)


async def first_cut(agent: Agent) -> Any:
    async for message in agent.desired():
        return message.cut
    raise AssertionError("the stream ended")


def by_key(cut: Any) -> dict[str, Any]:
    """A snapshot by items, whatever their order."""
    items = meaning(cut)
    return {name: sorted(map(repr, found)) if isinstance(found, list) else found for name, found in items.items()}


async def test_hello_is_answered_in_the_version_that_both_speak(agent: Agent) -> None:
    reply = await agent.hello()
    assert (reply.protocol_version, reply.cluster_id) == (agent.version, agent.master.cluster_id)
    assert reply.session_id and reply.periods.next_heartbeat_ms and reply.periods.grace_ms and not reply.removed
    # The recorded agent trusts the CA from before the rotation; it gets the present one if its version knows the field.
    assert ("BEGIN CERTIFICATE" in reply.ca) == (agent.version == 2)


async def test_the_snapshot_says_what_the_master_of_then_said(agent: Agent) -> None:
    """Both are from the same store: the last snapshot that node1 got, and the deltas that followed it."""
    then = p.DesiredState()
    for line in RECORDED:
        if line.caller == "node1" and line.kind == "DesiredMessage" and (cut := today(line.kind, line.raw).cut).last:
            then.receive(cut, member=True)
    await agent.hello()
    now = await first_cut(agent)
    expected = kind("Cut").FromString(then.dump(secrets=True).SerializeToString())
    expected.revision = now.revision
    assert now.snapshot and now.last
    assert by_key(now) == by_key(expected)


async def test_a_heartbeat_is_answered(agent: Agent) -> None:
    await agent.hello()
    reply = await agent.master.service.heartbeat(agent.peer, agent.sent("Heartbeat"))
    read = kind("HeartbeatReply").FromString(reply.SerializeToString())
    assert read.periods.next_heartbeat_ms and read.periods.grace_ms


async def test_reports_of_pods_are_committed(agent: Agent) -> None:
    await agent.hello()
    pods = next(each for each in p.kinds.ALL if each.resource == "pods")
    reports = [line for line in RECORDED if (line.caller, line.kind) == ("node1", "PodReport")]
    for number in range(len(reports)):
        request = agent.sent("ReportPods", number)
        reply = await agent.master.service.report_pods(agent.peer, request)
        read = kind("PodReportReply").FromString(reply.SerializeToString())
        there = {each.metadata.uid for each in agent.master.cache.list(pods)}
        assert set(read.unknown) == {status.uid for status in request.pods} - there
    volumes = agent.master.cache.get(pods, "default", "volumes")
    assert volumes is not None and volumes.status.phase == "Running"
    assert [each.ready for each in volumes.status.container_statuses] == [True, True]


async def test_events_are_recorded(agent: Agent) -> None:
    await agent.hello()
    request = agent.sent("ReportEvents", 0)
    reply = await agent.master.service.report_events(agent.peer, request)
    assert as_it_reads("EventReply", reply.SerializeToString()) == {}
    kinds = next(each for each in p.kinds.ALL if each.resource == "events")
    for _ in range(200):
        told = {each.reason for each in agent.master.cache.list(kinds)}
        if {event.reason for event in request.events} <= told:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not among {told}")


class Upstream:
    """One call of Stream, as the recorded agent makes it."""

    def __init__(self, messages: list[Any]) -> None:
        self.messages = messages
        self.granted: list[int] = []

    async def read(self) -> Any:
        return self.messages.pop(0) if self.messages else None

    async def send(self, down: Any) -> None:
        self.granted.append(kind("StreamDown").FromString(down.SerializeToString()).credit_bytes)


async def test_a_log_is_asked_for_and_comes(agent: Agent) -> None:
    await agent.hello()
    pods = next(each for each in p.kinds.ALL if each.resource == "pods")
    uid = agent.master.cache.get(pods, "default", "volumes").metadata.uid  # type: ignore[union-attr]
    stream = agent.desired()
    await anext(stream)
    log = agent.master.logs.open("node1", "default", "volumes", uid, "main", p.LogOptions())
    reading = asyncio.create_task(_all(log))
    asked = (await asyncio.wait_for(anext(stream), 5)).open_stream
    assert (asked.logs.pod_uid, asked.logs.container) == (uid, "main")
    up = [line for line in RECORDED if (line.caller, line.kind) == ("node1", "StreamUp")]
    first = kind("StreamUp").FromString(up[0].raw)
    same = [line for line in up if kind("StreamUp").FromString(line.raw).stream_id in ("", first.stream_id)]
    messages = [today("StreamUp", line.raw) for line in same[:2]]
    messages[0].session_id, messages[0].stream_id = agent.session, asked.stream_id
    upstream = Upstream(messages)
    await agent.master.service.stream(agent.peer, messages[0], upstream)
    assert await asyncio.wait_for(reading, 5) == b"started\n"
    assert upstream.granted


async def _all(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_a_certificate_is_renewed(agent: Agent) -> None:
    await agent.hello()
    reply = await agent.master.service.renew(agent.peer, agent.sent("RenewCertificate"))
    read = kind("RenewReply").FromString(reply.SerializeToString())
    assert "BEGIN CERTIFICATE" in read.certificate and "BEGIN CERTIFICATE" in read.ca


async def test_a_person_at_the_node_is_answered(master: Master, peer: p.Peer) -> None:
    """Without a session: how the node stands, drain, leave; then the agent cleans up and says so."""

    def asked(line_kind: str) -> Any:
        found = next(line for line in RECORDED if line.kind == line_kind and line.caller == "departure of node4")
        message = today(line_kind, found.raw)
        # The recorded questions are node4's, which had left when the store was saved.
        message.machine.CopyFrom(p.session_pb2.Machine())
        return message

    standing = await master.service.membership(peer, asked("MembershipRequest"))
    read = kind("MembershipReply").FromString(standing.SerializeToString())
    assert read.registered and not read.removed and "Ready" in {each.type for each in read.conditions}
    drained = await master.service.drain(peer, asked("DrainRequest"))
    read = kind("DrainReply").FromString(drained.SerializeToString())
    assert {each.name for each in read.unmanaged} >= {"volumes", "web-on-node1"} and len(read.pods)
    await master.service.leave(peer, asked("LeaveRequest"))
    agent = Agent(master, peer, version=2)
    assert (await agent.hello()).removed
    assert not (await first_cut(agent)).HasField("node")
    left = next(line for line in RECORDED if line.kind == "LeftReport")
    message = today("LeftReport", left.raw)
    message.session_id = agent.session
    await master.service.report_left(peer, message)
    assert "node1" not in {each.name for each in await master.identities.all()}


def test_an_agent_of_today_reads_each_answer_to_hello() -> None:
    replies = [today(line.kind, line.raw) for line in RECORDED if line.kind == "HelloReply"]
    assert {reply.protocol_version for reply in replies} == {2}
    assert p.contract.OLDEST_PROTOCOL_VERSION <= 2 <= p.contract.PROTOCOL_VERSION
    assert any(reply.removed for reply in replies) and any(reply.renew for reply in replies)
    assert any("BEGIN CERTIFICATE" in reply.ca for reply in replies)


@pytest.mark.parametrize("caller", sorted({line.caller for line in RECORDED if line.kind == "DesiredMessage"}))
def test_an_agent_of_today_follows_every_cut(caller: str) -> None:
    """Snapshots and deltas, none of which may be a gap or nonsense to it."""
    state, cuts = p.DesiredState(), 0
    for line in RECORDED:
        if line.caller != caller:
            continue
        state = _followed(state, line)
        cuts += line.kind == "DesiredMessage"
    assert cuts and state.revision


def _followed(state: Any, line: Line) -> Any:
    if line.kind == "HelloRequest" and not today(line.kind, line.raw).previous_session_id:
        return p.DesiredState()  # the process was started
    if line.kind == "DesiredRequest":
        state.interrupted()
    if line.kind == "DesiredMessage" and (message := today(line.kind, line.raw)).HasField("cut"):
        state.receive(message.cut)
    return state
