"""The node life cycle and pods of deleted nodes: grace, Unknown, eviction, recovery, and when none is evicted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from master import kinds
from master.controllers import nodehealth
from master.controllers.nodehealth import Silence
from master.controllers.nodelifecycle import NodeLifecycle
from master.controllers.podgc import PodCollector
from master.kinds.core.node import Node, NodeCondition
from tests.fakes.clock import FakeClock, settle
from tests.fakes.cluster import FakeCluster

GRACE_S, EVICTION_S = 5.0, 2.0


class FakeHeartbeats:
    """Heartbeats that the test sends."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.started_at = self.stalled_at = clock.monotonic()
        self.seen: dict[str, float] = {}
        self.ended: list[str] = []

    def last_seen(self, node: str) -> float | None:
        return self.seen.get(node)

    def end_session(self, node: str, reason: str) -> None:
        assert reason
        self.ended.append(node)

    def beat(self, *nodes: str) -> None:
        for node in nodes:
            self.seen[node] = self._clock.monotonic()


class Nodes:
    """A cluster whose nodes send a heartbeat every second, except those that are cut off."""

    def __init__(self, cluster: FakeCluster, names: tuple[str, ...]) -> None:
        self.cluster = cluster
        self.names = names
        self.beats = FakeHeartbeats(cluster.clock)
        self.cut: set[str] = set()
        self.lifecycle = NodeLifecycle(
            cluster.resources,
            self.beats,
            cluster.clock,
            cluster.recorder,
            grace_s=GRACE_S,
            eviction_s=EVICTION_S,
        )

    @classmethod
    async def make(cls, *names: str) -> Nodes:
        cluster = await FakeCluster.make()
        nodes = cls(cluster, names)
        for name in names:
            await cluster.node(name)
            await cluster.pod(f"on-{name}", node=name, ready=True, ip="10.1.0.2")
            nodes.beats.beat(name)
        return nodes

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            await self.cluster.clock.advance(1)
            self.beats.beat(*(name for name in self.names if name not in self.cut))

    def ready(self, name: str) -> NodeCondition:
        node: Node = self.cluster.get(kinds.NODE, name)
        return next(c for c in node.status.conditions if c.type == "Ready")

    def pod_ready(self, name: str) -> str:
        conditions = self.cluster.get(kinds.POD, f"on-{name}").status.conditions
        return str(next(c.status for c in conditions if c.type == "Ready"))

    def terminating(self) -> list[str]:
        return sorted(p.metadata.name for p in self.cluster.pods() if p.metadata.deletion_timestamp)


async def test_a_node_with_heartbeats_stays_ready() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        await nodes.seconds(30)
        assert nodes.ready("n1").status == "True"
        assert nodes.beats.ended == []
        assert nodes.cluster.events() == []


async def test_a_silent_node_becomes_unknown_and_its_pods_not_ready() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1"}
        await nodes.seconds(4)
        assert nodes.ready("n1").status == "True"
        await nodes.seconds(2)
        ready = nodes.ready("n1")
        assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
        assert nodes.beats.ended == ["n1"]
        assert nodes.pod_ready("n1") == "False"
        assert nodes.pod_ready("n2") == "True"
        assert nodes.terminating() == []
        (event,) = nodes.cluster.events("NodeNotReady")[:1]
        assert event.message in ("Node n1 status is now: NodeNotReady", "Node is not ready")


async def test_pods_of_an_unknown_node_are_evicted_later_and_stay_terminating() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1"}
        await nodes.seconds(8)
        assert nodes.terminating() == ["on-n1"]
        assert nodes.cluster.get(kinds.POD, "on-n1") is not None


async def test_a_node_that_returns_in_time_keeps_its_pods() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1"}
        await nodes.seconds(6)
        assert nodes.ready("n1").status == "Unknown"
        nodes.cut = set()
        nodes.beats.beat("n1")
        await nodes.seconds(10)
        assert nodes.terminating() == []


async def test_while_most_nodes_are_silent_nothing_is_evicted() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1", "n2"}
        await nodes.seconds(60)
        assert nodes.ready("n1").status == nodes.ready("n2").status == "Unknown"
        assert nodes.terminating() == []
        nodes.cut = {"n1"}
        nodes.beats.beat("n2")
        await nodes.seconds(1)
        assert nodes.terminating() == []
        await nodes.seconds(3)
        assert nodes.terminating() == ["on-n1"]


async def test_nodes_evicted_earlier_do_not_protect_others() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1"}
        await nodes.seconds(10)
        nodes.cut = {"n1", "n2"}
        await nodes.seconds(10)
        assert nodes.terminating() == ["on-n1", "on-n2"]


async def test_a_stalled_master_gives_every_node_a_new_grace_period() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.cut = {"n1"}
        await nodes.seconds(4)
        nodes.beats.stalled_at = nodes.cluster.clock.monotonic()
        await nodes.seconds(4)
        assert nodes.ready("n1").status == "True"
        await nodes.seconds(2)
        assert nodes.ready("n1").status == "Unknown"


async def test_after_a_restart_nodes_get_a_grace_period_before_their_first_heartbeat() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")
    nodes.beats.seen.clear()
    nodes.cut = {"n1", "n2", "n3"}
    async with nodes.cluster.running(nodes.lifecycle):
        await nodes.seconds(4)
        assert nodes.ready("n1").status == "True"


async def test_a_heartbeat_at_the_last_moment_wins() -> None:
    nodes = await Nodes.make("n1", "n2", "n3")

    class LastMoment(FakeHeartbeats):
        def end_session(self, node: str, reason: str) -> None:
            super().end_session(node, reason)
            self.beat(node)

    beats = LastMoment(nodes.cluster.clock)
    nodes.lifecycle._heartbeats = nodes.beats = beats
    async with nodes.cluster.running(nodes.lifecycle):
        nodes.beats.beat("n1", "n2", "n3")
        nodes.cut = {"n1"}
        await nodes.seconds(6)
        assert beats.ended == ["n1"]
        assert nodes.ready("n1").status == "True"


async def test_adding_and_removing_nodes_records_events() -> None:
    nodes = await Nodes.make("n1")
    cluster = nodes.cluster
    async with cluster.running(nodes.lifecycle):
        await cluster.node("n2", ready="False")

        def turned_ready(old: Node) -> Node:
            conditions = tuple(replace(c, status="True") for c in old.status.conditions)
            return replace(old, status=replace(old.status, conditions=conditions))

        await cluster.change(kinds.NODE, "n2", turned_ready, subresource="status")
        await cluster.delete(kinds.NODE, "n2")
        await settle()
        by_reason = {event.reason: event for event in cluster.events()}
        assert set(by_reason) == {"RegisteredNode", "NodeReady", "RemovingNode"}
        # kubectl describe node looks up events by the name in place of the uid.
        assert by_reason["NodeReady"].involved_object.uid == "n2"
        assert by_reason["NodeReady"].metadata.namespace == "default"


@pytest.mark.parametrize(
    ("silences", "evicted"),
    [
        pytest.param({"a": None, "b": None, "c": 90.0}, ["c"], id="one of three"),
        pytest.param({"a": None, "b": None, "c": 99.0}, [], id="not yet"),
        pytest.param({"a": None, "b": 90.0}, ["b"], id="half is not more than half"),
        pytest.param({"a": 90.0, "b": 90.0, "c": None}, [], id="most"),
        pytest.param({"a": 90.0}, [], id="the only one"),
    ],
)
def test_which_nodes_are_evicted(silences: dict[str, float | None], evicted: list[str]) -> None:
    nodes = {name: Silence(0.0, silent_since=since) for name, since in silences.items()}
    assert nodehealth.to_evict(nodes, eviction_s=5.0, now=100.0) == evicted


async def test_pods_of_a_deleted_node_are_deleted_at_once() -> None:
    nodes = await Nodes.make("n1", "n2")
    collector = PodCollector(nodes.cluster.resources, nodes.cluster.clock)
    async with nodes.cluster.running(collector):
        await nodes.cluster.delete(kinds.POD, "on-n1")
        await nodes.cluster.pod("also-on-n1", node="n1")
        await nodes.cluster.delete(kinds.NODE, "n1")
        await settle()
        assert [p.metadata.name for p in nodes.cluster.pods()] == ["on-n2"]


async def test_a_pod_whose_node_does_not_exist_yet_is_kept_for_a_while() -> None:
    cluster = await FakeCluster.make()
    collector = PodCollector(cluster.resources, cluster.clock)
    async with cluster.running(collector):
        await cluster.pod("early", node="n1")
        await cluster.pod("lost", node="n2")
        await cluster.clock.advance(30)
        await cluster.node("n1")
        await cluster.clock.advance(30)
        assert [p.metadata.name for p in cluster.pods()] == ["early"]
