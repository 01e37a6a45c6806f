"""The event recorder: a repeated event raises a count, and the queue is bounded."""

from __future__ import annotations

from datetime import timedelta

from master import kinds
from master.component.events import QUEUE_LIMIT, REMEMBERED, Involved
from master.objects.meta import timestamp
from tests.fakes.clock import START, settle
from tests.fakes.cluster import FakeCluster

POD = Involved("Pod", "default", "web", "uid-1", "spec.containers{app}")


def tell(cluster: FakeCluster, message: str = "Back-off restarting failed container", involved: Involved = POD) -> None:
    cluster.recorder.record("kubelet", host="n1", involved=involved, type="Warning", reason="BackOff", message=message)


async def test_a_repeated_event_raises_its_count() -> None:
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


async def test_repetitions_before_the_writer_runs_are_one_event() -> None:
    cluster = await FakeCluster.make()
    for _ in range(100):
        tell(cluster)
    async with cluster.running():
        (event,) = cluster.events()
        assert event.count == 100


async def test_an_expired_event_is_counted_from_the_beginning() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running():
        tell(cluster)
        await settle()
        await cluster.delete(kinds.EVENT, cluster.events()[0].metadata.name)
        tell(cluster)
        await settle()
        assert [event.count for event in cluster.events()] == [1]


async def test_the_queue_and_the_remembered_events_are_bounded() -> None:
    cluster = await FakeCluster.make()
    for number in range(QUEUE_LIMIT + 50):
        tell(cluster, f"message {number}")
    async with cluster.running():
        await settle(6000)
        assert len(cluster.events()) == QUEUE_LIMIT
        assert len(cluster.recorder._stored) == REMEMBERED


async def test_an_event_that_cannot_be_stored_delays_no_other() -> None:
    cluster = await FakeCluster.make()
    async with cluster.running():
        tell(cluster, involved=Involved("Pod", "no-such-namespace", "web"))
        tell(cluster)
        await settle()
        assert len(cluster.events()) == 1
