"""A master that sends agents the messages of a test, over real gRPC and TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from agent.identity import keys
from agent.identity.files import Identity
from master.pki import Pki
from proto import contract
from proto.gen import desired_pb2, observed_pb2, session_pb2
from tests.fakes.hostile import nothing_left
from tests.fakes.sessions import CLUSTER_ID, GRACE_S, HEARTBEAT_S, AgentEnd, until

Cut, Message = session_pb2.Cut, session_pb2.DesiredMessage
PERIODS = session_pb2.Periods(next_heartbeat_ms=int(HEARTBEAT_S * 1000), grace_ms=int(GRACE_S * 1000))
CONFIG = desired_pb2.NodeConfig(
    pod_cidr="10.244.1.0/24", cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16", node_address="10.0.0.1"
)


def hello(**change: Any) -> session_pb2.HelloReply:
    """A valid reply to Hello, except for the changed fields."""
    usual: dict[str, Any] = {"protocol_version": contract.PROTOCOL_VERSION, "cluster_id": CLUSTER_ID, "session_id": "s"}
    return session_pb2.HelloReply(**usual | {"periods": PERIODS} | change)


def pod(uid: str = "a", **values: Any) -> desired_pb2.Pod:
    containers = [desired_pb2.Container(name="app", image="app:1", image_pull_policy="Never")]
    usual: dict[str, Any] = {"uid": uid, "namespace": "default", "name": "web", "containers": containers}
    return desired_pb2.Pod(**usual | values)


def cut(**values: Any) -> session_pb2.DesiredMessage:
    """A valid complete snapshot, except for the changed fields."""
    usual: dict[str, Any] = {"snapshot": True, "revision": 9, "last": True, "node": CONFIG}
    return Message(cut=Cut(**usual | values))


GOOD = cut(revision=5, pods=[pod("good")])


def encoded(*messages: session_pb2.DesiredMessage) -> list[bytes]:
    return [message.SerializeToString() for message in messages]


def service(name: str = "s", **port: Any) -> desired_pb2.Service:
    ref = desired_pb2.ObjectRef(namespace="default", name=name)
    return desired_pb2.Service(ref=ref, cluster_ip="10.96.0.9", ports=[desired_pb2.ServicePort(**port)])


def endpoints(port: int) -> desired_pb2.ServiceEndpoints:
    subset = desired_pb2.EndpointSubset(addresses=["10.244.1.2"], ports=[desired_pb2.EndpointPort(port=port)])
    return desired_pb2.ServiceEndpoints(ref=desired_pb2.ObjectRef(namespace="default", name="s"), subsets=[subset])


def endpoint_slice(port: int, *, name: str = "s-1") -> desired_pb2.EndpointSlice:
    subset = desired_pb2.EndpointSubset(addresses=["10.244.1.2"], ports=[desired_pb2.EndpointPort(port=port)])
    ref = desired_pb2.ObjectRef(namespace="default", name=name)
    return desired_pb2.EndpointSlice(ref=ref, service="s", endpoints=subset)


def moment(seconds: int) -> Any:
    message = desired_pb2.Pod()
    message.creation_timestamp.seconds = seconds
    return message.creation_timestamp


@dataclass(slots=True)
class HostileMaster:
    """Sends the configured bytes, and counts the agent's calls."""

    hello: bytes = field(default_factory=lambda: hello().SerializeToString())
    heartbeat: bytes = field(default_factory=lambda: session_pb2.HeartbeatReply(periods=PERIODS).SerializeToString())
    desired: Iterable[bytes] = field(default_factory=lambda: encoded(GOOD))
    after: str = "silence"
    """The stream of desired state after its last message: `silence` (it stays open) or `end`."""
    hellos: int = 0
    streams: int = 0
    beats: int = 0
    applied: int = 0
    """The revision that the agent runs by, as its last heartbeat says."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends the streams of desired state of the latest session. Each Hello brings a new event."""
    called: int = 0
    """Log streams that the agent opened."""
    data: dict[str, list[bytes]] = field(default_factory=dict)
    """What came on each log stream, by its id."""
    errors: dict[str, str] = field(default_factory=dict)
    events: list[observed_pb2.Event] = field(default_factory=list)

    def handlers(self) -> dict[str, Any]:
        async def say_hello(_: bytes, context: Any) -> bytes:
            self.hellos += 1
            self.over = asyncio.Event()
            return self.hello

        async def beat(raw: bytes, context: Any) -> bytes:
            self.beats += 1
            self.applied = session_pb2.HeartbeatRequest.FromString(raw).applied_revision
            return self.heartbeat

        async def nothing(_: bytes, context: Any) -> bytes:
            return b""

        async def send_desired(_: bytes, context: Any) -> AsyncIterator[bytes]:
            self.streams += 1
            over = self.over  # now: the agent can have the last message, and the test go on, before this does
            for message in self.desired:
                yield message
            if self.after == "silence":
                await over.wait()

        async def take_events(raw: bytes, context: Any) -> bytes:
            self.events.extend(session_pb2.EventReport.FromString(raw).events)
            return b""

        async def open_stream(_: Any, context: Any) -> None:
            self.called += 1
            credit = session_pb2.StreamDown(credit_bytes=contract.STREAM_WINDOW_BYTES)
            await context.write(credit.SerializeToString())
            stream_id = ""
            while (raw := await context.read()) is not grpc.aio.EOF:
                message = session_pb2.StreamUp.FromString(raw)
                stream_id = stream_id or message.stream_id
                self.data.setdefault(stream_id, []).append(message.data)
                if message.error:
                    self.errors[stream_id] = message.error
            while not context.done():  # noqa: ASYNC110 - gRPC does not always report a call cancelled at its start
                await asyncio.sleep(0.01)

        unary = {"Hello": say_hello, "Heartbeat": beat, "ReportPods": nothing, "ReportEvents": take_events}
        return {
            "Desired": grpc.unary_stream_rpc_method_handler(send_desired),
            "Stream": grpc.stream_stream_rpc_method_handler(open_stream),
            **{name: grpc.unary_unary_rpc_method_handler(method) for name, method in unary.items()},
        }

    @asynccontextmanager
    async def listening(self, pki: Pki) -> AsyncIterator[Identity]:
        """Runs the server. Yields the identity of a node that has joined."""
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


def holds_the_good_state(agent: AgentEnd) -> bool:
    return agent.desired.revision == 5 and set(agent.desired.for_pods().pods) == {"good"}


@asynccontextmanager
async def settled(master: HostileMaster, pki: Pki, directory: Path) -> AsyncIterator[AgentEnd]:
    """An agent that has applied GOOD before the block. Checks at the end that it still has it."""
    async with master.listening(pki) as identity:
        agent = AgentEnd(identity, directory)
        async with nothing_left(), agent.running():
            await until(lambda: holds_the_good_state(agent))
            yield agent
            assert holds_the_good_state(agent)
            assert not agent.done.is_set() and not agent.machine.left


async def restart(master: HostileMaster) -> None:
    """End the session, and wait for the next one's Hello."""
    now = master.hellos
    master.over.set()
    await until(lambda: master.hellos > now)


async def again(master: HostileMaster, times: int = 4) -> None:
    """Waits until the agent has started a new session this many times."""
    now = master.hellos
    await until(lambda: master.hellos >= now + times)
