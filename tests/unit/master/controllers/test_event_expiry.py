"""Event expiry: events are deleted an hour after the master received them, and earlier when there are too many."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from master import kinds
from master.cache import Entry
from master.component.events import Involved
from master.controllers.eventexpiry import Ages, EventExpiry, expired
from master.kinds.core.event import Event
from master.objects.meta import ObjectMeta, timestamp
from tests.fakes.clock import START
from tests.fakes.cluster import FakeCluster

POD = Involved("Pod", "default", "web", "uid-1")


def tell(cluster: FakeCluster) -> None:
    cluster.recorder.record("kubelet", involved=POD, type="Warning", reason="BackOff", message="Back-off restarting")


def event(name: str, minutes_ago: float, revision: int = 1) -> Entry:
    when = timestamp(START - timedelta(minutes=minutes_ago))
    stored = Event(metadata=ObjectMeta(name=name, namespace="default", uid=name), last_timestamp=when)
    return Entry(kinds.EVENT, "default", name, (msgspec.json.encode(stored),), revision)


def test_which_events_are_deleted() -> None:
    events = [event("old", 61), event("older", 90), event("new", 1), event("newer", 0)]
    aged = Ages().look(events, now=START, monotonic=7.0)
    assert [e.name for e in expired(aged)] == ["older", "old"]
    assert [e.name for e in expired(aged, most=1)] == ["older", "old", "new"]
    assert expired([]) == []


def test_the_age_counts_from_the_arrival_whatever_the_clocks_say() -> None:
    ages = Ages()
    assert [age_s for age_s, _ in ages.look([event("a", 10), event("b", -30)], now=START, monotonic=0.0)] == [600, 0]
    behind = event("of a node that is behind", 90)
    later = START + timedelta(hours=5)
    assert [age_s for age_s, _ in ages.look([event("a", 10), behind], now=later, monotonic=60.0)] == [660, 0]
    again = event("of a node that is behind", 90, revision=2)
    assert [age_s for age_s, _ in ages.look([behind], now=later, monotonic=100.0)] == [40]
    assert [age_s for age_s, _ in ages.look([again], now=later, monotonic=200.0)] == [0]


async def test_changing_the_wall_clock_expires_no_event() -> None:
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


async def test_events_are_deleted_after_an_hour() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running(EventExpiry(cluster.resources, cluster.clock)):
        tell(cluster)
        await cluster.clock.advance(3500)
        assert len(cluster.events()) == 1
        await cluster.clock.advance(150)
        assert cluster.events() == []
