"""A commit concerns few sessions: only these are woken, and sessions that need the same bytes share them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from master import cluster_api, kinds
from master.api.resources import Resources
from master.cache import Cache
from master.component.events import EventRecorder
from master.dispatch.desired import DesiredState
from master.dispatch.sessions import Machine, Session, Sessions
from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.namespace import Namespace
from master.kinds.core.node import Node, NodeAddress, NodeSpec, NodeStatus
from master.kinds.core.pod.container import ConfigMapEnvSource, Container, EnvFromSource
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta
from master.store.memory import MemoryStore
from proto import contract
from proto.gen import session_pb2
from tests.fakes.clock import FakeClock, settle
from tests.fakes.sessions import CALLER


def node(number: int) -> Node:
    status = NodeStatus(addresses=(NodeAddress(type="InternalIP", address=f"10.0.0.{number + 1}"),))
    return Node(
        metadata=ObjectMeta(name=f"node-{number}"), spec=NodeSpec(pod_cidr=f"10.244.{number}.0/24"), status=status
    )


def pod(name: str, on: int, *, needs: str = "") -> Pod:
    sources = (EnvFromSource(config_map_ref=ConfigMapEnvSource(name=needs)),) if needs else ()
    container = Container(name="app", image="app:1", env_from=sources)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodSpec(node_name=f"node-{on}", containers=(container,)),
    )


def config_map(value: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"key": value})


def service() -> Service:
    return Service(
        metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(ports=(ServicePort(port=80),))
    )


def endpoints(*addresses: str) -> Endpoints:
    subset = EndpointSubset(addresses=tuple(EndpointAddress(ip=ip) for ip in addresses), ports=(EndpointPort(port=80),))
    return Endpoints(metadata=ObjectMeta(name="web", namespace="default"), subsets=(subset,))


class Dispatcher:
    """A dispatcher with three nodes: the sessions of the first two have slices."""

    def __init__(self, cache: Cache, resources: Resources) -> None:
        clock = FakeClock()
        self.cache, self.resources = cache, resources
        self.recorder = EventRecorder(resources, clock)
        self.sessions = Sessions(clock, heartbeat_s=10, grace_s=40)
        cidrs = {"cluster_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/16"}
        self.desired = DesiredState(cache, self.sessions, **cidrs, recorder=self.recorder)
        self.open: list[Session] = []
        self.wakes: list[asyncio.Event] = []

    async def connect(self) -> None:
        for number in range(3):
            version = contract.SLICES_SINCE - (number == 2)
            machine = Machine(f"machine-{number}", f"10.0.0.{number + 1}")
            self.open.append(self.sessions.open(f"node-{number}", machine, "f", removed=False, version=version))
        self.wakes = [session.outbox.attach() for session in self.open]
        await settle()
        self.take()

    def take(self) -> list[list[bytes]]:
        """The messages that wait for each session; they are sent."""
        for wake in self.wakes:
            wake.clear()
        return [session.outbox.take(self.desired._view, session.node) for session in self.open]

    async def woken(self) -> list[int]:
        """The sessions that the changes since the last call concern."""
        await settle()
        numbers = [number for number, wake in enumerate(self.wakes) if wake.is_set()]
        self.sent = self.take()
        assert [number for number, messages in enumerate(self.sent) if messages] == numbers
        return numbers

    async def create(self, kind: Any, obj: Any) -> Any:
        return await self.resources.create(CALLER, kind, obj)

    async def mutate(self, kind: Any, name: str, **values: Any) -> None:
        def change(stored: Any) -> Any:
            return msgspec.structs.replace(stored, **values)

        await self.resources.mutate(CALLER, kind, "default", name, change)


@pytest.fixture
async def dispatcher() -> AsyncIterator[Dispatcher]:
    store = MemoryStore()
    cache = await Cache.load(store, kinds.ALL)
    dispatcher = Dispatcher(cache, cluster_api.resources(store, cache, kinds.registry(), clock=FakeClock()))
    await dispatcher.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="default")))
    for number in range(3):
        await dispatcher.create(kinds.NODE, node(number))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(dispatcher.desired.run()), group.create_task(dispatcher.recorder.run())]
        await dispatcher.connect()
        yield dispatcher
        for task in tasks:
            task.cancel()


async def test_a_pod_concerns_its_node_only(dispatcher: Dispatcher) -> None:
    await dispatcher.create(kinds.POD, pod("web", 1))
    assert await dispatcher.woken() == [1]
    await dispatcher.resources.delete(CALLER, kinds.POD, "default", "web")
    assert await dispatcher.woken() == [1]


async def test_a_config_map_concerns_the_nodes_of_the_pods_that_refer_to_it(dispatcher: Dispatcher) -> None:
    await dispatcher.create(kinds.CONFIGMAP, config_map("a"))
    assert await dispatcher.woken() == []
    await dispatcher.create(kinds.POD, pod("web", 0, needs="settings"))
    await dispatcher.create(kinds.POD, pod("api", 2, needs="settings"))
    await dispatcher.create(kinds.POD, pod("job", 1))
    assert await dispatcher.woken() == [0, 1, 2]
    await dispatcher.mutate(kinds.CONFIGMAP, "settings", data={"key": "b"})
    assert await dispatcher.woken() == [0, 2]
    await dispatcher.resources.delete(CALLER, kinds.POD, "default", "web")
    assert await dispatcher.woken() == [0]


async def test_a_service_concerns_all_nodes_and_its_bytes_are_made_once(dispatcher: Dispatcher) -> None:
    await dispatcher.create(kinds.SERVICE, service())
    assert await dispatcher.woken() == [0, 1, 2]
    first, second, third = dispatcher.sent
    assert first[0] is second[0] is third[0]


async def test_endpoints_concern_all_nodes_in_the_form_that_their_sessions_have(dispatcher: Dispatcher) -> None:
    await dispatcher.create(kinds.SERVICE, service())
    await dispatcher.create(kinds.ENDPOINTS, endpoints("10.244.0.2"))
    assert await dispatcher.woken() == [0, 1, 2]
    await dispatcher.mutate(kinds.ENDPOINTS, "web", subsets=endpoints("10.244.0.3").subsets)
    assert await dispatcher.woken() == [0, 1, 2]
    assert dispatcher.sent[0][0] is dispatcher.sent[1][0]
    cuts = [session_pb2.DesiredMessage.FromString(messages[0]).cut for messages in dispatcher.sent]
    assert [(len(cut.endpoint_slices), len(cut.endpoints)) for cut in cuts] == [(1, 0), (1, 0), (0, 1)]


async def test_sessions_at_different_revisions_share_no_delta(dispatcher: Dispatcher) -> None:
    await dispatcher.create(kinds.POD, pod("web", 0))
    assert await dispatcher.woken() == [0]
    await dispatcher.create(kinds.SERVICE, service())
    assert await dispatcher.woken() == [0, 1, 2]
    bases = [session_pb2.DesiredMessage.FromString(messages[0]).cut.base_revision for messages in dispatcher.sent]
    assert bases[0] > bases[1] == bases[2]


async def test_a_node_that_is_new_to_the_others_is_not_its_own_peer(dispatcher: Dispatcher) -> None:
    moved = NodeStatus(addresses=(NodeAddress(type="InternalIP", address="10.0.0.99"),))
    await dispatcher.resources.mutate(
        CALLER, kinds.NODE, "", "node-1", lambda node: msgspec.structs.replace(node, status=moved), subresource="status"
    )
    assert await dispatcher.woken() == [0, 1, 2]
    cuts = [session_pb2.DesiredMessage.FromString(messages[0]).cut for messages in dispatcher.sent]
    assert [[peer.address for peer in cut.peers] for cut in cuts] == [["10.0.0.99"], [], ["10.0.0.99"]]
    assert [cut.node.node_address for cut in cuts] == ["", "10.0.0.99", ""]


async def test_what_nodes_would_refuse_is_not_sent_and_an_event_says_so(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """The API accepts this address of a Node; its agent cannot use it and would end its session."""
    moved = NodeStatus(addresses=(NodeAddress(type="InternalIP", address="fd00::1"),))
    await dispatcher.resources.mutate(
        CALLER, kinds.NODE, "", "node-1", lambda node: msgspec.structs.replace(node, status=moved), subresource="status"
    )
    await dispatcher.woken()
    assert not any(
        session_pb2.DesiredMessage.FromString(messages[0]).cut.HasField("node")
        for messages in dispatcher.sent
        if messages
    )
    for _ in range(50):
        await settle()
    (event,) = dispatcher.cache.list(kinds.EVENT)
    assert (event.involved_object.kind, event.involved_object.name) == ("Node", "node-1")
    assert "not sent to nodes" in event.message and event.reason == "FailedValidation"
    assert "Node /node-1 cannot be sent to nodes" in caplog.text


async def test_the_session_of_a_node_that_was_created_and_deleted_at_once_ends(dispatcher: Dispatcher) -> None:
    session = dispatcher.sessions.open("node-7", Machine("machine-7", "10.0.0.8"), "f", removed=False)
    await dispatcher.create(kinds.NODE, node(7))
    await dispatcher.resources.delete(CALLER, kinds.NODE, "", "node-7")
    await settle()
    assert session.end_reason == "the Node was deleted"
    assert dispatcher.sessions.current("node-0") is not None
