"""Followers: the latest state only, or every change through a queue or directly into a sink."""

from __future__ import annotations

import random
from typing import Any

import pytest

from master import kinds
from master.cache import Batch, Cache, Change, Lagged, loading
from master.kinds import CONFIGMAP, POD
from master.store.interface import Delete, Put
from master.store.memory import MemoryStore
from tests.unit.master.cache.bodies import configmap, pod


async def make() -> tuple[MemoryStore, Cache]:
    store = MemoryStore()
    return store, await Cache.load(store, kinds.ALL)


def summary(changes: tuple[Change, ...]) -> list[tuple[str, str, int | None, int]]:
    return [(c.type, c.entry.name, c.before.revision if c.before else None, c.revision) for c in changes]


# -- the latest state ---------------------------------------------------------------------------------------------


async def test_changes_that_wait_become_one_with_the_state_that_the_follower_got_last() -> None:
    store, cache = await make()
    await store.commit([], [configmap("a"), configmap("gone"), configmap("again")])
    with cache.subscribe(CONFIGMAP, latest=True) as feed:
        for number in range(3):
            await store.commit([], [configmap("a", x=str(number)), configmap("new", x=str(number))])
        await store.commit([], [configmap("short")])
        await store.commit([], [Delete(CONFIGMAP.key("default", name)) for name in ("short", "gone", "again")])
        await store.commit([], [configmap("again")])
        batch = await feed.next()
        assert feed.idle
        await store.commit([], [configmap("a")])
        assert summary((await feed.next()).changes) == [("MODIFIED", "a", 4, 8)]
    assert batch.revision == 7
    assert summary(batch.changes) == [
        ("MODIFIED", "a", 1, 4),
        ("ADDED", "new", None, 4),
        ("DELETED", "gone", 1, 6),
        ("DELETED", "again", 1, 6),
        ("ADDED", "again", None, 7),
    ]


@pytest.mark.parametrize("attempt", range(5))
async def test_a_slow_follower_has_the_state_of_each_batch(attempt: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    store, cache = await make()
    known: dict[str, int] = {}
    with cache.subscribe(CONFIGMAP, POD, latest=True) as feed:
        for _ in range(200):
            for _ in range(rng.randrange(6)):
                name = rng.choice("abcd")
                make_write = rng.choice((configmap, pod))
                put = make_write(name)
                await store.commit([], [put if rng.random() < 0.6 else Delete(put.key)])
            batch = feed.take()
            for change in batch.changes if batch else ():
                key = f"{change.kind.resource}/{change.entry.name}"
                assert known.get(key) == (change.before.revision if change.before else None)
                if change.type == "DELETED":
                    del known[key]
                else:
                    known[key] = change.revision
            entries = [*cache.entries(CONFIGMAP), *cache.entries(POD)]
            assert known == {f"{entry.kind.resource}/{entry.name}": entry.revision for entry in entries}


async def test_a_follower_of_the_latest_state_never_lags() -> None:
    store, cache = await make()
    with cache.subscribe(CONFIGMAP, latest=True) as feed:
        for number in range(20_000):
            await store.commit([], [configmap("a", x=str(number))])
        (change,) = (await feed.next()).changes
    assert change.obj.metadata.labels == {"x": "19999"}


# -- a sink -------------------------------------------------------------------------------------------------------


class Transport:
    """Takes batches while it is not full."""

    def __init__(self) -> None:
        self.full = False
        self.revisions: list[int] = []

    def __call__(self, batch: Batch) -> bool:
        if not self.full:
            self.revisions.append(batch.revision)
        return not self.full


async def test_a_sink_gets_each_batch_at_once() -> None:
    store, cache = await make()
    sink = Transport()
    feed, _ = cache.watch(CONFIGMAP, None, sink=sink)
    await store.commit([], [configmap("a")])
    assert (sink.revisions, feed.idle, feed.revision) == ([1], True, 1)


async def test_while_the_sink_is_full_batches_are_queued_in_order() -> None:
    store, cache = await make()
    sink = Transport()
    with cache.subscribe(CONFIGMAP, sink=sink) as feed:
        sink.full = True
        await store.commit([], [configmap("a")])
        sink.full = False
        # The queue is not empty yet: this one may not overtake the first.
        await store.commit([], [configmap("b")])
        assert sink.revisions == []
        assert [(await feed.next()).revision, (await feed.next()).revision] == [1, 2]
        await store.commit([], [configmap("c")])
        assert (sink.revisions, feed.idle) == ([3], True)


async def test_a_full_sink_lags_like_any_other_follower() -> None:
    store, cache = await make()
    sink = Transport()
    sink.full = True
    with cache.subscribe(CONFIGMAP, sink=sink, limit=2) as feed:
        for _ in range(3):
            await store.commit([], [configmap("a")])
        with pytest.raises(Lagged):
            feed.take()


async def test_a_sink_that_fails_harms_no_other_follower(caplog: pytest.LogCaptureFixture) -> None:
    store, cache = await make()

    def broken(_: Batch) -> bool:
        raise RuntimeError("broken")

    with cache.subscribe(CONFIGMAP, sink=broken) as feed, cache.subscribe(CONFIGMAP) as other:
        await store.commit([], [configmap("a")])
        with pytest.raises(Lagged):
            feed.take()
        assert other.take() is not None
    assert "a subscriber failed" in caplog.text


async def test_a_subscription_may_be_closed_while_a_batch_is_delivered() -> None:
    store, cache = await make()
    second, _ = cache.watch(CONFIGMAP, None)
    first, _ = cache.watch(CONFIGMAP, None, sink=lambda _: bool(second.close()))
    await store.commit([], [configmap("a")])
    assert not first.idle


# -- snapshots and frames -----------------------------------------------------------------------------------------


async def test_a_snapshot_keeps_no_object_that_was_read() -> None:
    store, cache = await make()
    await store.commit([], [configmap("a"), configmap("b")])
    with cache.subscribe(CONFIGMAP) as feed:
        assert len(feed.snapshot) == 2
        assert [entry.name for entry in feed.snapshot.entries()] == ["a", "b"]
        assert len(feed.snapshot) == 0


async def test_frames_are_not_kept_after_the_next_commit() -> None:
    store, cache = await make()
    with cache.subscribe(CONFIGMAP) as feed:
        await store.commit([], [configmap("a")])
        change = (await feed.next()).changes[0]
        assert change.frame("ADDED") is change.frame("ADDED")
        await store.commit([], [configmap("b")])
        assert change.frame("ADDED") == change.frame("ADDED")
        assert change.frame("ADDED") is not change.frame("ADDED")


# -- kinds that come and go -----------------------------------------------------------------------------------------


async def test_a_kind_that_comes_later_is_served_with_what_the_store_has_of_it() -> None:
    store = MemoryStore()
    await store.commit([], [configmap("a"), pod("p")])
    cache = await Cache.load(store, [POD])
    await store.commit([], [configmap("b")])
    await cache.add(CONFIGMAP)
    assert cache.kinds == (POD, CONFIGMAP)
    assert [entry.name for entry in cache.entries(CONFIGMAP)] == ["a", "b"]
    feed, past = cache.watch(CONFIGMAP, 2)
    with feed:
        await store.commit([], [configmap("a", x="1")])
        assert summary((await feed.next()).changes) == [("MODIFIED", "a", 1, 3)]
    assert past == []
    with pytest.raises(ValueError, match="configmaps: the cache has this kind"):
        await cache.add(CONFIGMAP)


class Slow(MemoryStore):
    """A store in which others write between a list and its answer."""

    writes: tuple[Put | Delete, ...] = ()

    async def list(self, prefix: str, **options: Any) -> Any:
        listed = await super().list(prefix, **options)
        writes, self.writes = self.writes, ()
        for write in writes:
            await self.commit([], [write])
        return listed


async def test_what_is_written_while_a_kind_is_added_is_not_lost() -> None:
    store = Slow()
    await store.commit([], [configmap("a"), configmap("b")])
    cache = await Cache.load(store, [POD])
    store.writes = (configmap("a", x="1"), Delete(CONFIGMAP.key("default", "b")), configmap("c"))
    await cache.add(CONFIGMAP)
    assert [(entry.name, entry.revision) for entry in cache.entries(CONFIGMAP)] == [("a", 2), ("c", 4)]


@pytest.mark.parametrize("size", [1, 2, 3, 8])
async def test_what_is_written_while_the_store_is_read_in_parts_is_not_lost(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SLICE", size)
    store = Slow()
    await store.commit([], [configmap(name) for name in "abcd"])
    gone = [Delete(CONFIGMAP.key("default", name)) for name in "bc"]
    store.writes = (configmap("a", x="1"), *gone, configmap("d", x="1"), configmap("c", x="1"), configmap("a", x="2"))
    cache = await Cache.load(store, [CONFIGMAP])
    assert [(entry.name, entry.revision) for entry in cache.entries(CONFIGMAP)] == [("a", 7), ("c", 6), ("d", 5)]
    assert cache.revision == 7
    feed, past = cache.watch(CONFIGMAP, 7)
    with feed:
        await store.commit([], [configmap("c")])
        assert summary((await feed.next()).changes) == [("MODIFIED", "c", 6, 8)]
    assert past == []


async def test_a_kind_that_goes_ends_its_subscriptions() -> None:
    store, cache = await make()
    await store.commit([], [configmap("a"), pod("p")])
    pods, configmaps = cache.subscribe(POD), cache.subscribe(CONFIGMAP, POD)
    everything = cache.subscribe(all_kinds=True)
    cache.remove(CONFIGMAP)
    for feed in (configmaps, everything):
        with pytest.raises(Lagged):
            feed.take()
        feed.close()
    await store.commit([], [configmap("b"), pod("q")])
    batch = pods.take()
    assert batch is not None and summary(batch.changes) == [("ADDED", "q", None, 2)]
    with pytest.raises(KeyError):
        cache.entries(CONFIGMAP)
