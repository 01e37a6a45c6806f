"""Events: one object a kind of happening, counted; bounded in time and number."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from master.api import kinds
from master.api.kinds.event import Event
from master.api.kinds.meta import ObjectMeta, timestamp
from master.controllers.eventexpiry import Ages, EventExpiry, expired
from master.controllers.events import QUEUE_LIMIT, REMEMBERED, Involved
from tests.fakes.clock import START, settle
from tests.fakes.cluster import FakeCluster

POD = Involved("Pod", "default", "web", "uid-1", "spec.containers{app}")


def tell(cluster: FakeCluster, message: str = "Back-off restarting failed container", involved: Involved = POD) -> None:
    cluster.recorder.record("kubelet", host="n1", involved=involved, type="Warning", reason="BackOff", message=message)


async def test_the_same_event_again_raises_its_count() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running():
        tell(cluster)
        await settle()
        await cluster.clock.advance(10)
        tell(cluster)
        tell(cluster)
        await settle()
        (event,) = cluster.events()
        assert event.count == 3
        assert (event.first_timestamp, event.last_timestamp) == (
            timestamp(START),
            timestamp(START + timedelta(seconds=10)),
        )
        assert (event.source.component, event.source.host) == ("kubelet", "n1")
        assert event.involved_object.field_path == "spec.containers{app}"


async def test_what_came_before_the_writer_runs_is_one_event() -> None:
    cluster = await FakeCluster.make()
    for _ in range(100):
        tell(cluster)
    async with cluster.running():
        (event,) = cluster.events()
        assert event.count == 100


async def test_an_event_that_expired_begins_anew() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running():
        tell(cluster)
        await settle()
        await cluster.delete(kinds.EVENT, cluster.events()[0].metadata.name)
        tell(cluster)
        await settle()
        assert [event.count for event in cluster.events()] == [1]


async def test_the_queue_and_the_memory_are_bounded() -> None:
    cluster = await FakeCluster.make()
    for number in range(QUEUE_LIMIT + 50):
        tell(cluster, f"message {number}")
    async with cluster.running():
        await settle(6000)
        assert len(cluster.events()) == QUEUE_LIMIT
        assert len(cluster.recorder._stored) == REMEMBERED


async def test_an_event_that_cannot_be_stored_stops_nobody() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running():
        tell(cluster, involved=Involved("Pod", "no-such-namespace", "web"))
        tell(cluster)
        await settle()
        assert len(cluster.events()) == 1


def event(name: str, minutes_ago: float) -> Event:
    when = timestamp(START - timedelta(minutes=minutes_ago))
    meta = ObjectMeta(name=name, namespace="default", uid=name, resource_version="1")
    return Event(metadata=meta, last_timestamp=when)


def test_which_events_go() -> None:
    events = [event("old", 61), event("older", 90), event("new", 1), event("newer", 0)]
    aged = Ages().look(events, now=START, monotonic=7.0)
    assert [e.metadata.name for e in expired(aged)] == ["older", "old"]
    assert [e.metadata.name for e in expired(aged, most=1)] == ["older", "old", "new"]
    assert expired([]) == []


def test_an_event_is_as_old_as_it_is_known_whatever_the_clocks_say() -> None:
    ages = Ages()
    assert [age_s for age_s, _ in ages.look([event("a", 10), event("b", -30)], now=START, monotonic=0.0)] == [600, 0]
    behind = event("of a node that is behind", 90)
    later = START + timedelta(hours=5)
    assert [age_s for age_s, _ in ages.look([event("a", 10), behind], now=later, monotonic=60.0)] == [660, 0]
    again = msgspec.structs.replace(behind, metadata=msgspec.structs.replace(behind.metadata, resource_version="2"))
    assert [age_s for age_s, _ in ages.look([behind], now=later, monotonic=100.0)] == [40]
    assert [age_s for age_s, _ in ages.look([again], now=later, monotonic=200.0)] == [0]


async def test_a_clock_that_is_set_ends_no_event() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(EventExpiry(cluster.resources, cluster.clock)):
        tell(cluster)
        await cluster.clock.advance(60)
        cluster.clock.ahead = timedelta(hours=2)
        await cluster.clock.advance(3000)
        assert len(cluster.events()) == 1
        cluster.clock.ahead = -timedelta(hours=2)
        await cluster.clock.advance(700)
        assert cluster.events() == []


async def test_events_go_after_an_hour() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(EventExpiry(cluster.resources, cluster.clock)):
        tell(cluster)
        await cluster.clock.advance(3500)
        assert len(cluster.events()) == 1
        await cluster.clock.advance(150)
        assert cluster.events() == []
