"""Masters that violate the contract: the agent applies nothing, keeps its pods running, and reconnects.

The agent's session runs over real gRPC and TLS against a server whose answers the test chooses.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from agent.wire.sanity import sensible
from master.pki import Pki
from proto import contract
from proto.gen import desired_pb2, session_pb2
from tests.fakes import agent_process
from tests.fakes.hostile import nothing_left, told_within
from tests.fakes.hostile_master import (
    CONFIG,
    GOOD,
    Cut,
    HostileMaster,
    Message,
    again,
    cut,
    encoded,
    endpoint_slice,
    endpoints,
    hello,
    holds_the_good_state,
    moment,
    pod,
    restart,
    service,
    settled,
)
from tests.fakes.sessions import AgentEnd, prepare_pki, until

pytestmark = pytest.mark.timeout(60)


def _some(**values: Any) -> desired_pb2.Pod:
    return pod(**{"uid": "b"} | values)


def _app(values: dict[str, Any]) -> desired_pb2.Container:
    usual: dict[str, Any] = {"name": "app", "image": "a"}
    return desired_pb2.Container(**usual | values)


def _container(**values: Any) -> desired_pb2.Pod:
    return _some(containers=[_app(values)])


def _config(**values: str) -> session_pb2.DesiredMessage:
    config = desired_pb2.NodeConfig()
    config.CopyFrom(CONFIG)
    for name, value in values.items():
        setattr(config, name, value)
    return cut(node=config)


def _resources(memory: int) -> desired_pb2.Resources:
    return desired_pb2.Resources(memory_limit_bytes=memory)


def _asked(stream_id: str = "s1", **values: Any) -> session_pb2.StreamRequest:
    """A valid request for a log, except for the changed fields."""
    usual: dict[str, Any] = {"pod_uid": "good", "namespace": "default", "pod": "web", "container": "app"}
    return session_pb2.StreamRequest(stream_id=stream_id, logs=session_pb2.LogRequest(**usual | values))


CUTS = [
    pytest.param([b"\xff\xff\xff"], "DesiredMessage cannot be read", id="noise"),
    pytest.param([b"\x0a\x05ab"], "cannot be read", id="cut short"),
    pytest.param([b"\x0a\x04\x32\x02\xff\xfe"], "cannot be read", id="not a pod"),
    pytest.param(encoded(cut(node=None)), "a snapshot without this node's configuration", id="empty snapshot"),
    pytest.param(encoded(cut(last=False), cut(revision=10)), "is continued with revision 10", id="two cuts in one"),
    pytest.param(
        encoded(cut(last=False), Message(cut=Cut(base_revision=5, revision=9, last=True))),
        "continued",
        id="half a delta",
    ),
    pytest.param(encoded(Message(cut=Cut(base_revision=5, revision=3, last=True))), "back to 3", id="backwards"),
    pytest.param(encoded(_config(pod_cidr="")), "configuration", id="no pod CIDR"),
    pytest.param(encoded(_config(pod_cidr="10.244.1.1/24")), "host bits", id="pod CIDR with host bits"),
    pytest.param(encoded(_config(pod_cidr="0.0.0.0/0")), "do not fit", id="pod CIDR is everything"),
    pytest.param(encoded(_config(service_cidr="10.244.0.0/16")), "do not fit", id="services in the pod CIDR"),
    pytest.param(encoded(_config(node_address="node-1")), "configuration", id="node address"),
]


@pytest.mark.parametrize(("messages", "logged"), CUTS)
async def test_invalid_desired_state_is_not_applied(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture, messages: list[bytes], logged: str
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        cuts = agent.machine.cuts
        with told_within(caplog, 2):
            master.desired = messages
            await restart(master)
            await again(master)
        assert logged in caplog.text
        assert agent.machine.cuts == cuts


ITEMS = [
    pytest.param({"pods": [_some(uid="")]}, "pod default/web: uid: '' is not valid", id="pod without uid"),
    pytest.param({"pods": [_some(uid="../../etc")]}, "uid: '../../etc'", id="uid that is a path"),
    pytest.param({"pods": [_some(uid="u" * 1_000_000)]}, "uid: 'uuu", id="endless uid"),
    pytest.param({"pods": [_some(name="")]}, "name: ''", id="pod without name"),
    pytest.param({"pods": [_some(name="n" * 1_000_000)]}, "name: 'nnn", id="endless name"),
    pytest.param({"pods": [_some(namespace="a/b")]}, "namespace: 'a/b'", id="namespace"),
    pytest.param({"pods": [_some(restart_policy="Sometimes")]}, "restart policy", id="restart policy"),
    pytest.param({"pods": [_some(ended_phase="Flying")]}, "ended phase", id="ended phase"),
    pytest.param({"pods": [_some(grace_period_s=-1)]}, "grace_period_s: -1", id="grace -1"),
    pytest.param({"pods": [_some(grace_period_s=2**62)]}, "grace_period_s", id="endless grace"),
    pytest.param({"pods": [_some(active_deadline_s=-5)]}, "active_deadline_s: -5", id="deadline -5"),
    pytest.param({"pods": [_some(creation_timestamp=moment(-62_135_596_800))]}, "years", id="year 1"),
    pytest.param({"pods": [_some(deletion_timestamp=moment(2**62))]}, "years", id="end of time"),
    pytest.param({"pods": [_container(name="../app")]}, "container: '../app'", id="container name"),
    pytest.param({"pods": [_container(image_pull_policy="Often")]}, "pull policy", id="pull policy"),
    pytest.param({"pods": [_container(resources=_resources(-1))]}, "resources are negative", id="memory -1"),
    pytest.param(
        {"pods": [_container(ports=[desired_pb2.ContainerPort(container_port=70000)])]},
        "70000/0 is not a port",
        id="port",
    ),
    pytest.param({"pods": [_some(volumes=[desired_pb2.Volume(name="..")])]}, "volume: '..'", id="volume name"),
    pytest.param({"services": [service(port=70000)]}, "service default/s:  70000", id="service port"),
    pytest.param({"services": [service(port=80, node_port=2**32 - 1)]}, "4294967295", id="node port"),
    pytest.param({"services": [service(port=80, protocol="GRE")]}, "GRE", id="protocol"),
    pytest.param({"services": [service("", port=80)]}, "name: ''", id="service without name"),
    pytest.param({"endpoints": [endpoints(70000)]}, "endpoints default/s", id="endpoint port"),
    pytest.param({"endpoint_slices": [endpoint_slice(70000)]}, "endpoint slice default/s-1", id="slice's port"),
    pytest.param({"endpoint_slices": [endpoint_slice(80, name="../s")]}, "name: '../s'", id="slice's name"),
    pytest.param({"peers": [desired_pb2.Peer(name="a b")]}, "peer a b: name: 'a b'", id="peer name"),
    pytest.param({"secrets": [desired_pb2.Secret()]}, "secret : namespace", id="secret without name"),
    pytest.param({"config_maps": [desired_pb2.ConfigMap()]}, "config map : namespace", id="config map without name"),
]


@pytest.mark.parametrize(("items", "logged"), ITEMS)
async def test_an_invalid_item_costs_that_item_only(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture, items: dict[str, Any], logged: str
) -> None:
    """The rest of the cut takes effect, an event names the item, and the session goes on."""
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        master.desired = encoded(cut(pods=[pod("good"), pod("next"), *items.pop("pods", [])], **items), GOOD)
        with told_within(caplog, 2):
            await restart(master)
            await until(lambda: holds_the_good_state(agent) and master.events)
            hellos, beats = master.hellos, master.beats
            await until(lambda: master.beats > beats + 3)
        assert master.hellos == hellos
        assert logged in caplog.text
        (event,) = master.events
        assert logged in event.message and (event.type, event.reason) == ("Warning", "FailedValidation")
        assert max(map(len, (event.namespace, event.name, event.uid, event.message))) < 1000


async def test_thousands_of_invalid_items_are_reported_in_part(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        bad = [_some(uid=f"u{number}", name="A B") for number in range(5000)]
        master.desired = encoded(cut(pods=[pod("next"), *bad]), GOOD)
        with told_within(caplog, 12):
            await restart(master)
            await until(lambda: holds_the_good_state(agent) and len(master.events) == 100)
        assert "refused 90 more items" in caplog.text


STREAMS = [
    pytest.param(session_pb2.StreamRequest(stream_id="s1"), "knows no such stream", id="unknown kind"),
    pytest.param(_asked(pod_uid="../x"), "pod uid: '../x'", id="uid that is a path"),
    pytest.param(_asked(since_unix_s=-1), "since_unix_s: -1 s since the epoch", id="before 1970"),
    pytest.param(_asked(since_unix_s=2**62), "since_unix_s", id="end of time"),
    pytest.param(_asked(tail_lines=-1), "tail_lines: -1 is negative", id="lines -1"),
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


async def test_a_master_of_the_release_before_sends_whole_endpoints(pki: Pki, tmp_path: Path) -> None:
    master = HostileMaster(hello=hello(protocol_version=2).SerializeToString())
    async with settled(master, pki, tmp_path) as agent:
        whole = endpoints(8080)
        whole.subsets[0].ports[0].protocol = "TCP"
        master.desired = encoded(cut(services=[service(protocol="TCP", port=80)], endpoints=[whole]))
        await restart(master)
        await until(lambda: agent.desired.revision == 9)
        (port,) = agent.desired.for_network().services
        assert [str(endpoint.address) for endpoint in port.endpoints] == ["10.244.1.2"]
        master.desired = encoded(GOOD)
        await restart(master)
        await until(lambda: holds_the_good_state(agent))


def _big() -> Iterable[bytes]:
    """100 MB of valid pods."""
    text = "x" * 900_000
    pods = [pod(f"p{number}", annotations={"a": text}) for number in range(112)]
    return encoded(*(cut(last=False, pods=[big]) for big in pods), cut())


def _endless() -> Iterable[bytes]:
    return itertools.repeat(cut(last=False).SerializeToString())


@pytest.mark.parametrize(
    ("made", "limit", "most"),
    [pytest.param(_big, 64 << 20, 128 << 20, id="100 MB"), pytest.param(_endless, 4 << 20, 16 << 20, id="no end")],
)
async def test_a_cut_that_is_too_large_is_refused_and_forgotten(
    pki: Pki, tmp_path: Path, made: Callable[[], Iterable[bytes]], limit: int, most: int
) -> None:
    """`most`: growth of the agent's memory; enough for the part of one cut, and not for the parts of two."""
    assert contract.MAX_STATE_BYTES == 64 << 20
    master = HostileMaster()
    async with master.listening(pki) as identity:
        with agent_process.running(identity, tmp_path, max_state_bytes=limit) as agent:
            await until(lambda: master.applied == GOOD.cut.revision)
            before = agent.peak_bytes()
            master.desired = made()
            await restart(master)
            refused = f"a cut of more than {limit >> 20} MiB"
            await until(lambda: agent.logged(refused) or agent.peak_bytes() - before > most)
            await again(master, 3)
            assert agent.peak_bytes() - before < most
            assert agent.logged(refused)
            beats = master.beats
            await until(lambda: master.beats > beats)
            assert master.applied == GOOD.cut.revision
            assert len(agent.warnings()) <= 2, agent.warnings()


async def test_one_message_over_the_limit_is_refused_by_its_size(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        master.desired = encoded(cut(pods=[pod("p", annotations={"a": "x" * contract.MAX_MESSAGE_BYTES})]))
        with told_within(caplog, 2):
            await restart(master)
            await until(lambda: "larger than max" in caplog.text)
            await again(master)


async def test_endless_gaps_are_retried_with_pauses(pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        master.desired = encoded(Message(cut=Cut(base_revision=77, revision=78, last=True)))
        await restart(master)
        hellos, streams = master.hellos, master.streams
        await again(master, 5)
        assert master.streams - streams <= 2 * (master.hellos - hellos) + 2, "one new stream, then a new session"


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
        assert len(streams) <= 2 * 96
        assert master.called <= 1000
        hellos = master.hellos
        beats = master.beats
        await until(lambda: master.beats > beats + 2)
        assert master.hellos == hellos, "the session continues"
        del streams  # a task refers to its call, and the call to its connection
        master.desired = encoded(GOOD)


@pytest.mark.parametrize("sent", range(5))
async def test_a_stream_that_ends_at_a_message_boundary_applies_whole_cuts_only(
    pki: Pki, tmp_path: Path, sent: int
) -> None:
    """A snapshot of three messages and a delta of one; every stream ends after `sent` of them."""
    whole = encoded(
        cut(last=False, pods=[pod("one")]),
        cut(last=False, node=None, pods=[pod("two")]),
        cut(node=None, pods=[pod("three")]),
        Message(cut=Cut(base_revision=9, revision=10, last=True, removed_pods=["one"])),
    )
    master = HostileMaster()
    async with master.listening(pki) as identity:
        agent = AgentEnd(identity, tmp_path)
        async with nothing_left(), agent.running():
            await until(lambda: holds_the_good_state(agent))
            master.desired, master.after = whole[:sent], "end"
            await restart(master)
            await again(master)
            expected = {3: {"one", "two", "three"}, 4: {"two", "three"}}.get(sent, {"good"})
            if sent == 4:  # the check could otherwise come between snapshot and delta
                await until(lambda: agent.desired.revision == 10)
            assert set(agent.desired.for_pods().pods) == expected


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
