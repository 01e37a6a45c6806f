"""Masters that do not keep to the contract: nothing of it is applied, what runs goes on, and the agent comes back.

The agent's session runs over real gRPC and TLS against a server that answers what a test tells it to.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from agent.identity import keys
from agent.identity.files import Identity
from agent.session.errors import Garbled
from agent.session.sanity import check_cut, sensible
from master.pki import Pki
from proto import contract
from proto.gen import desired_pb2, session_pb2
from tests.fakes.hostile import mutated, nothing_left, resident_bytes, told_within
from tests.fakes.sessions import CLUSTER_ID, AgentEnd, prepare_pki, until

pytestmark = pytest.mark.timeout(60)

Cut, Message = session_pb2.Cut, session_pb2.DesiredMessage
PERIODS = session_pb2.Periods(next_heartbeat_ms=50, grace_ms=5000)
CONFIG = desired_pb2.NodeConfig(
    pod_cidr="10.244.1.0/24", cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16", node_address="10.0.0.1"
)


def hello(**change: Any) -> session_pb2.HelloReply:
    """A good one, but for the change."""
    usual: dict[str, Any] = {"protocol_version": contract.PROTOCOL_VERSION, "cluster_id": CLUSTER_ID, "session_id": "s"}
    return session_pb2.HelloReply(**usual | {"periods": PERIODS} | change)


def pod(uid: str = "a", **values: Any) -> desired_pb2.Pod:
    containers = [desired_pb2.Container(name="app", image="app:1", image_pull_policy="Never")]
    usual: dict[str, Any] = {"uid": uid, "namespace": "default", "name": "web", "containers": containers}
    return desired_pb2.Pod(**usual | values)


def cut(**values: Any) -> session_pb2.DesiredMessage:
    """A whole snapshot, good but for the values."""
    usual: dict[str, Any] = {"snapshot": True, "revision": 9, "last": True, "node": CONFIG}
    return Message(cut=Cut(**usual | values))


GOOD = cut(revision=5, pods=[pod("good")])


def encoded(*messages: session_pb2.DesiredMessage) -> list[bytes]:
    return [message.SerializeToString() for message in messages]


@dataclass(slots=True)
class HostileMaster:
    """Says what it is told to; counts what it is asked."""

    hello: bytes = field(default_factory=lambda: hello().SerializeToString())
    heartbeat: bytes = field(default_factory=lambda: session_pb2.HeartbeatReply(periods=PERIODS).SerializeToString())
    desired: list[bytes] = field(default_factory=lambda: encoded(GOOD))
    after: str = "silence"
    """What follows on the stream of desired state: `silence` or `end`."""
    hellos: int = 0
    streams: int = 0
    beats: int = 0
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    called: int = 0
    """Log streams that the agent opened."""

    def handlers(self) -> dict[str, Any]:
        async def say_hello(_: bytes, context: Any) -> bytes:
            self.hellos += 1
            return self.hello

        async def beat(_: bytes, context: Any) -> bytes:
            self.beats += 1
            return self.heartbeat

        async def nothing(_: bytes, context: Any) -> bytes:
            return b""

        async def want(_: bytes, context: Any) -> AsyncIterator[bytes]:
            self.streams += 1
            for message in list(self.desired):
                yield message
            if self.after == "silence":
                await self.turn.wait()

        async def take(_: Any, context: Any) -> None:
            self.called += 1
            while not context.done():  # noqa: ASYNC110 - a call cancelled as it begins is not always told
                await asyncio.sleep(0.01)

        unary = {"Hello": say_hello, "Heartbeat": beat, "ReportPods": nothing, "ReportEvents": nothing}
        return {
            "Desired": grpc.unary_stream_rpc_method_handler(want),
            "Stream": grpc.stream_stream_rpc_method_handler(take),
            **{name: grpc.unary_unary_rpc_method_handler(method) for name, method in unary.items()},
        }

    @asynccontextmanager
    async def listening(self, pki: Pki) -> AsyncIterator[Identity]:
        """The identity of a node of it."""
        server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("sampan.Master", self.handlers()),))
        pair = (pki.server.key.read_bytes(), pki.server.certificate.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], pki.ca_pem, True))
        await server.start()
        key = keys.make_key()
        certificate = pki.sign_node(keys.make_request(key, "node-1"), "node-1")
        life = keys.life_of(certificate)
        try:
            yield Identity(
                "node-1", CLUSTER_ID, f"127.0.0.1:{port}", pki.ca_pem.decode(), certificate, key,
                life.not_before, life.not_after,
            )  # fmt: skip
        finally:
            await server.stop(None)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


def holds_the_good_state(agent: AgentEnd) -> bool:
    return agent.desired.revision == 5 and set(agent.desired.for_pods().pods) == {"good"}


@asynccontextmanager
async def settled(master: HostileMaster, pki: Pki, directory: Path) -> AsyncIterator[AgentEnd]:
    """An agent that runs by the good state when the block begins, and still does at its end."""
    async with master.listening(pki) as identity:
        agent = AgentEnd(identity, directory)
        async with nothing_left(), agent.running():
            await until(lambda: holds_the_good_state(agent))
            yield agent
            assert holds_the_good_state(agent)
            assert not agent.done.is_set() and not agent.machine.left


async def _restart(master: HostileMaster) -> None:
    """The stream that is open ends; what comes next is the session's that follows."""
    now = master.hellos
    turn, master.turn = master.turn, asyncio.Event()
    turn.set()
    await until(lambda: master.hellos > now)


async def _again(master: HostileMaster, times: int = 4) -> None:
    """The agent has come back that often, and goes on trying."""
    now = master.hellos
    await until(lambda: master.hellos >= now + times)


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


def _service(name: str = "s", **port: Any) -> desired_pb2.Service:
    ref = desired_pb2.ObjectRef(namespace="default", name=name)
    return desired_pb2.Service(ref=ref, cluster_ip="10.96.0.9", ports=[desired_pb2.ServicePort(**port)])


def _endpoints(port: int) -> desired_pb2.ServiceEndpoints:
    subset = desired_pb2.EndpointSubset(addresses=["10.244.1.2"], ports=[desired_pb2.EndpointPort(port=port)])
    return desired_pb2.ServiceEndpoints(ref=desired_pb2.ObjectRef(namespace="default", name="s"), subsets=[subset])


def _resources(memory: int) -> desired_pb2.Resources:
    return desired_pb2.Resources(memory_limit_bytes=memory)


def _time(seconds: int) -> Any:
    message = desired_pb2.Pod()
    message.creation_timestamp.seconds = seconds
    return message.creation_timestamp


CUTS = [
    pytest.param([b"\xff\xff\xff"], "DesiredMessage cannot be read", id="noise"),
    pytest.param([b"\x0a\x05ab"], "cannot be read", id="cut short"),
    pytest.param([b"\x0a\x04\x32\x02\xff\xfe"], "cannot be read", id="no pod"),
    pytest.param(encoded(cut(node=None)), "a snapshot without this node's configuration", id="empty snapshot"),
    pytest.param(encoded(cut(last=False), cut(revision=10)), "goes on as one of revision 10", id="two cuts in one"),
    pytest.param(
        encoded(cut(last=False), Message(cut=Cut(base_revision=5, revision=9, last=True))), "goes on", id="half a delta"
    ),
    pytest.param(encoded(Message(cut=Cut(base_revision=5, revision=3, last=True))), "back to 3", id="backwards"),
    pytest.param(encoded(cut(pods=[_some(uid="")])), "pod uid: '' is none", id="pod without uid"),
    pytest.param(encoded(cut(pods=[_some(uid="../../etc")])), "pod uid: '../../etc'", id="uid that is a path"),
    pytest.param(encoded(cut(pods=[_some(uid="u" * 1_000_000)])), "pod uid: 'uuu", id="endless uid"),
    pytest.param(encoded(cut(pods=[_some(name="")])), "pod b: name", id="pod without name"),
    pytest.param(encoded(cut(pods=[_some(namespace="a/b")])), "pod b: namespace", id="namespace"),
    pytest.param(encoded(cut(pods=[_some(restart_policy="Sometimes")])), "restart policy", id="restart policy"),
    pytest.param(encoded(cut(pods=[_some(ended_phase="Flying")])), "ended phase", id="ended phase"),
    pytest.param(encoded(cut(pods=[_some(grace_period_s=-1)])), "grace_period_s is -1", id="grace -1"),
    pytest.param(encoded(cut(pods=[_some(grace_period_s=2**62)])), "grace_period_s", id="endless grace"),
    pytest.param(encoded(cut(pods=[_some(active_deadline_s=-5)])), "active_deadline_s", id="deadline -5"),
    pytest.param(encoded(cut(pods=[_some(creation_timestamp=_time(-62_135_596_800))])), "years", id="year 1"),
    pytest.param(encoded(cut(pods=[_some(deletion_timestamp=_time(2**62))])), "years", id="end of time"),
    pytest.param(encoded(cut(pods=[_container(name="../app")])), "container: '../app'", id="container name"),
    pytest.param(encoded(cut(pods=[_container(image_pull_policy="Often")])), "pull policy", id="pull policy"),
    pytest.param(encoded(cut(pods=[_container(resources=_resources(-1))])), "resources are negative", id="memory -1"),
    pytest.param(
        encoded(cut(pods=[_container(ports=[desired_pb2.ContainerPort(container_port=70000)])])), "70000", id="port"
    ),
    pytest.param(encoded(cut(pods=[_some(volumes=[desired_pb2.Volume(name="..")])])), "volume: '..'", id="volume name"),
    pytest.param(encoded(cut(services=[_service(port=70000)])), "70000", id="service port"),
    pytest.param(encoded(cut(services=[_service(port=80, node_port=2**32 - 1)])), "4294967295", id="node port"),
    pytest.param(encoded(cut(services=[_service(port=80, protocol="GRE")])), "GRE", id="protocol"),
    pytest.param(encoded(cut(services=[_service("", port=80)])), "service: ''", id="service without name"),
    pytest.param(encoded(cut(endpoints=[_endpoints(70000)])), "endpoints s", id="endpoint port"),
    pytest.param(encoded(cut(peers=[desired_pb2.Peer(name="a b")])), "peer: 'a b'", id="peer name"),
    pytest.param(encoded(cut(secrets=[desired_pb2.Secret()])), "secret: namespace", id="secret without name"),
    pytest.param(encoded(cut(config_maps=[desired_pb2.ConfigMap()])), "config map", id="config map without name"),
    pytest.param(encoded(_config(pod_cidr="")), "configuration", id="no pod CIDR"),
    pytest.param(encoded(_config(pod_cidr="10.244.1.1/24")), "host bits", id="pod CIDR with host bits"),
    pytest.param(encoded(_config(pod_cidr="0.0.0.0/0")), "do not fit", id="everything is pods"),
    pytest.param(encoded(_config(service_cidr="10.244.0.0/16")), "do not fit", id="services in pods"),
    pytest.param(encoded(_config(node_address="node-1")), "configuration", id="node address"),
    pytest.param(encoded(Message(open_stream=session_pb2.StreamRequest())), "stream id: ''", id="stream without id"),
    pytest.param(
        encoded(Message(open_stream=session_pb2.StreamRequest(stream_id="s" * 1_000_000))), "stream id", id="endless id"
    ),
]


@pytest.mark.parametrize(("messages", "says"), CUTS)
async def test_desired_state_that_makes_no_sense_is_not_applied(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture, messages: list[bytes], says: str
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        cuts = agent.machine.cuts
        with told_within(caplog, 2):
            master.desired = messages
            await _restart(master)
            await _again(master)
        assert says in caplog.text
        assert agent.machine.cuts == cuts


def _big() -> list[bytes]:
    """100 MB of pods that are each as they should be."""
    text = "x" * 900_000
    pods = [pod(f"p{number}", annotations={"a": text}) for number in range(112)]
    return encoded(*(cut(last=False, pods=[each]) for each in pods), cut())


def _endless() -> list[bytes]:
    return encoded(cut(last=False)) * 5000


@pytest.mark.parametrize(
    ("made", "limit", "most"),
    [pytest.param(_big, 64 << 20, 300 << 20, id="100 MB"), pytest.param(_endless, 4 << 20, 64 << 20, id="no end")],
)
async def test_a_cut_that_is_too_large_is_refused_and_forgotten(
    pki: Pki,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[], list[bytes]],
    limit: int,
    most: int,
) -> None:
    assert contract.MAX_STATE_BYTES == 64 << 20
    monkeypatch.setattr(contract, "MAX_STATE_BYTES", limit)
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        master.desired = made()
        before = resident_bytes()
        with told_within(caplog, 2):
            await _restart(master)
            await until(lambda: f"a cut of more than {contract.MAX_STATE_BYTES >> 20} MiB" in caplog.text)
            await _again(master, 1)
        assert not agent.desired._arriving or agent.desired._arriving_bytes < contract.MAX_STATE_BYTES
        assert resident_bytes() - before < most
        master.desired = encoded(GOOD)


async def test_one_message_over_the_limit_is_refused_by_its_size(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        master.desired = encoded(cut(pods=[pod("p", annotations={"a": "x" * contract.MAX_MESSAGE_BYTES})]))
        with told_within(caplog, 2):
            await _restart(master)
            await until(lambda: "larger than max" in caplog.text)
            await _again(master)


async def test_deltas_that_never_fit_are_asked_for_with_pauses(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        master.desired = encoded(Message(cut=Cut(base_revision=77, revision=78, last=True)))
        await _restart(master)
        hellos, streams = master.hellos, master.streams
        await _again(master, 5)
        assert master.streams - streams <= 2 * (master.hellos - hellos) + 2, "a new stream once, then a new session"


HELLOS = [
    pytest.param(b"\xff\xff", "HelloReply cannot be read", id="noise"),
    pytest.param(b"", "protocol version 0", id="empty"),
    pytest.param(hello(cluster_id="another").SerializeToString(), "of cluster another", id="another cluster"),
    pytest.param(hello(protocol_version=3).SerializeToString(), "protocol version 3", id="newer protocol"),
    pytest.param(hello(protocol_version=0).SerializeToString(), "protocol version 0", id="older protocol"),
    pytest.param(hello(cluster_id="c\n" * 100_000).SerializeToString(), "of cluster c c c", id="endless cluster"),
]


@pytest.mark.parametrize(("reply", "says"), HELLOS)
async def test_a_hello_that_does_not_fit_opens_no_session(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: bytes, says: str
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        streams = master.streams
        with told_within(caplog, 2):
            master.hello = reply
            await _restart(master)
            await _again(master)
        assert says in caplog.text
        assert master.streams == streams


@pytest.mark.parametrize(
    ("said", "heartbeat_ms", "grace_ms"),
    [
        pytest.param((0, 0), 10_000, 40_000, id="none"),
        pytest.param((1, 1), 10, 20, id="without pause"),
        pytest.param((2**32 - 1, 2**32 - 1), 300_000, 24 * 3600 * 1000, id="once in 49 days"),
        pytest.param((1000, 10), 1000, 2000, id="no time to answer"),
        pytest.param((10_000, 40_000), 10_000, 40_000, id="good"),
    ],
)
def test_periods_are_brought_within_bounds(said: tuple[int, int], heartbeat_ms: int, grace_ms: int) -> None:
    found = sensible(session_pb2.Periods(next_heartbeat_ms=said[0], grace_ms=said[1]))
    assert (found.next_heartbeat_ms, found.grace_ms) == (heartbeat_ms, grace_ms)


async def test_a_heartbeat_whose_answer_cannot_be_read_ends_the_session_only(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path):
        with told_within(caplog, 2):
            master.heartbeat = b"\xff"
            await _again(master)
        assert "HeartbeatReply cannot be read" in caplog.text


async def test_a_thousand_stream_requests_open_so_many_calls_and_no_more(pki: Pki, tmp_path: Path) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        agent.machine.follow = True
        wanted = [
            session_pb2.StreamRequest(
                stream_id=f"s{number}", logs=session_pb2.LogRequest(pod_uid="good", namespace="default", pod="web")
            )
            for number in range(1000)
        ]
        master.desired = encoded(GOOD, *(Message(open_stream=each) for each in wanted))
        await _restart(master)
        await until(lambda: master.called >= 64)
        streams = [task for task in asyncio.all_tasks() if task.get_name().startswith("stream s")]
        assert len(streams) <= 2 * 96
        assert master.called <= 1000
        hellos = master.hellos
        beats = master.beats
        await until(lambda: master.beats > beats + 2)
        assert master.hellos == hellos, "the session goes on"
        del streams  # a task holds its call, and the call its connection
        master.desired = encoded(GOOD)


@pytest.mark.parametrize("sent", range(5))
async def test_a_stream_that_ends_at_a_message_boundary_applies_whole_cuts_only(
    pki: Pki, tmp_path: Path, sent: int
) -> None:
    """A snapshot of three messages and a delta of one; the stream ends after `sent` of them, again and again."""
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
            await _restart(master)
            await _again(master)
            expected = {3: {"one", "two", "three"}, 4: {"two", "three"}}.get(sent, {"good"})
            if sent == 4:  # between the snapshot and the delta it may be looked at too
                await until(lambda: agent.desired.revision == 10)
            assert set(agent.desired.for_pods().pods) == expected


async def test_silence_after_the_hello_keeps_what_is_there(pki: Pki, tmp_path: Path) -> None:
    master = HostileMaster()
    async with settled(master, pki, tmp_path) as agent:
        master.desired = []
        await _restart(master)
        beats = master.beats
        await until(lambda: master.beats > beats + 5)
        assert holds_the_good_state(agent)


async def test_a_master_of_another_authority_gets_no_word_in(pki: Pki, tmp_path: Path) -> None:
    from dataclasses import replace

    master = HostileMaster()
    async with master.listening(prepare_pki(tmp_path / "other")) as identity:
        ours = replace(identity, ca=pki.ca_pem.decode())
        agent = AgentEnd(ours, tmp_path)
        async with agent.running():
            await asyncio.sleep(0)
            await until(lambda: agent.loop._said)
        assert master.hellos == 0
        assert "unavailable" in agent.loop._said


@pytest.mark.timeout(900)
async def test_mutated_cuts_are_applied_whole_or_refused_and_never_break_the_agent(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """What is taken is fit for the rest of the agent: it can be read as the agent's own values, kept and read back."""
    from agent.network_state import network_state, settings
    from agent.session.channel import parsed
    from agent.session.desired import DesiredState
    from agent.session.errors import Gap

    chance = random.Random(pytestconfig.getoption("--seed", default=None) or 20261121)
    rich = pod(
        "rich",
        labels={"a": "b"},
        restart_policy="OnFailure",
        grace_period_s=30,
        creation_timestamp=_time(1_700_000_000),
        volumes=[desired_pb2.Volume(name="v", host_path=desired_pb2.Volume.HostPath(path="/x"))],
        host_aliases=[desired_pb2.HostAlias(ip="1.2.3.4", hostnames=["x"])],
    )
    ref = desired_pb2.ObjectRef(namespace="default", name="s")
    good = cut(
        pods=[rich, pod("b")],
        services=[_service(port=80, protocol="TCP", node_port=30080)],
        endpoints=[_endpoints(8080)],
        peers=[desired_pb2.Peer(name="node-2", address="10.0.0.2", pod_cidr="10.244.2.0/24")],
        config_maps=[desired_pb2.ConfigMap(ref=ref, data={"k": "v"})],
        secrets=[desired_pb2.Secret(ref=ref, data={"k": b"v"})],
    ).SerializeToString()
    taken = refused = 0
    for _ in range(50_000 if pytestconfig.getoption("--long", default=False) else 4000):
        state = DesiredState()
        state.receive(GOOD.cut, member=True)
        try:
            message = parsed(Message, mutated(good, chance))
            applied = state.receive(message.cut, member=True)
        except (Garbled, Gap):
            applied = False
            assert holds_the_good_state_of(state)
            refused += 1
        if not applied:
            assert holds_the_good_state_of(state)
            continue
        taken += 1
        wanted = state.for_pods()
        assert all(uid and "/" not in uid for uid in wanted.pods)
        assert state.node is not None
        settings(state.node, node_name="node-1", state_dir=tmp_path)
        logging.disable(logging.ERROR)
        network_state(state)
        logging.disable(logging.NOTSET)
        kept = state.dump(secrets=True)
        assert session_pb2.Cut.FromString(kept.SerializeToString()) == kept
    assert min(taken, refused) > 50, "both outcomes are tried"


def holds_the_good_state_of(state: Any) -> bool:
    return state.revision == 5 and set(state.for_pods().pods) == {"good"}


def test_what_the_checks_refuse_is_named_with_its_item() -> None:
    with pytest.raises(Garbled, match="pod b: name"):
        check_cut(cut(pods=[_some(name="A B")]).cut)
