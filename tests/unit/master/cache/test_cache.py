"""The cache: bytes and typed objects, atomic subscriptions, bounded queues and history."""

from __future__ import annotations

import asyncio

import pytest

from master import kinds
from master.cache import Cache, HistoryGone, Lagged
from master.cache.entry import reversioned, with_version
from master.kinds import CONFIGMAP, NAMESPACE, POD
from master.store.interface import Delete, Put
from master.store.memory import MemoryStore
from tests.unit.master.cache.bodies import body, configmap


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


def test_the_version_is_inserted_into_stored_bytes_and_replaced() -> None:
    raw = with_version(body(POD, "a"), 7)
    assert raw.startswith(b'{"apiVersion":"v1","kind":"Pod","metadata":{"resourceVersion":"7","name":"a"')
    assert reversioned((raw,), 123)[0] == with_version(body(POD, "a"), 123)


async def test_stored_objects_are_loaded_at_start(store: MemoryStore) -> None:
    await store.commit([], [configmap("b"), configmap("a"), configmap("c", "other"), Put("/unique/x", b"me")])
    cache = await Cache.load(store, kinds.ALL)
    assert [c.metadata.name for c in cache.list(CONFIGMAP)] == ["a", "b", "c"]
    assert [c.metadata.name for c in cache.list(CONFIGMAP, "other")] == ["c"]
    loaded = cache.get(CONFIGMAP, "default", "a")
    assert loaded is not None and loaded.metadata.resource_version == "1"
    assert cache.holder("/unique/x") == b"me"


async def test_typed_objects_are_shared(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    await store.commit([], [configmap("a")])
    assert cache.get(CONFIGMAP, "default", "a") is cache.get(CONFIGMAP, "default", "a")


async def test_a_batch_is_exactly_one_commit(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP, NAMESPACE) as feed:
        await store.commit([], [configmap("a"), configmap("b")])
        await store.commit([], [Put(NAMESPACE.key("", "n"), body(NAMESPACE, "n", ""))])
        await store.commit([], [Put("/identity/node/n", b"{}")])
        await store.commit([], [configmap("a", x="1"), Delete(CONFIGMAP.key("default", "b"))])
        batches = [await feed.next() for _ in range(3)]
    assert [[(c.type, c.obj.metadata.name) for c in batch.changes] for batch in batches] == [
        [("ADDED", "a"), ("ADDED", "b")],
        [("ADDED", "n")],
        [("MODIFIED", "a"), ("DELETED", "b")],
    ]
    assert [batch.revision for batch in batches] == [1, 2, 4]
    modified, deleted = batches[2].changes
    assert modified.previous.metadata.labels == {}
    assert modified.obj.metadata.labels == {"x": "1"}
    assert deleted.obj.metadata.resource_version == "4", "DELETED has the revision of the deletion"


async def test_the_feed_starts_exactly_after_the_snapshot(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    await store.commit([], [configmap("a")])
    with cache.subscribe(CONFIGMAP) as feed:
        await store.commit([], [configmap("b")])
        assert [obj.metadata.name for _, obj in feed.snapshot] == ["a"]
        assert feed.revision == 1
        assert [c.obj.metadata.name for c in (await feed.next()).changes] == ["b"]


async def test_a_subscriber_that_falls_behind_gets_lagged(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP, limit=3) as feed:
        for number in range(5):
            await store.commit([], [configmap(f"c{number}")])
        with pytest.raises(Lagged):
            await feed.next()


async def test_waiting_for_a_batch_can_be_cancelled_without_loss(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP) as feed:
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        waiting.cancel()
        await store.commit([], [configmap("a")])
        assert (await feed.next()).revision == 1


async def test_a_closed_subscription_gets_no_changes(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP) as feed:
        pass
    await store.commit([], [configmap("a")])
    assert feed.idle


async def test_a_watch_can_start_only_within_the_history(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL, history=3)
    for number in range(6):
        await store.commit([], [configmap(f"c{number}")])
    feed, past = cache.watch(CONFIGMAP, 3)
    feed.close()
    assert [change.obj.metadata.name for change in past] == ["c3", "c4", "c5"]
    with pytest.raises(HistoryGone):
        cache.watch(CONFIGMAP, 2)
    feed, past = cache.watch(POD, 1)
    feed.close()
    assert past == [], "each kind has a history of its own"


async def test_a_frame_is_encoded_once(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP) as feed:
        await store.commit([], [configmap("a")])
        change = (await feed.next()).changes[0]
    assert change.frame("ADDED") is change.frame("ADDED")
    assert change.frame("ADDED").startswith(b'{"type":"ADDED","object":{"apiVersion":"v1"')


async def test_a_queue_is_also_limited_in_bytes(store: MemoryStore) -> None:
    cache = await Cache.load(store, kinds.ALL)
    with cache.subscribe(CONFIGMAP) as slow:
        for _ in range(40):
            await store.commit([], [configmap("a", data="x" * (1 << 20))])
        with pytest.raises(Lagged):
            await slow.next()
    with cache.subscribe(CONFIGMAP) as quick:
        for _ in range(40):
            await store.commit([], [configmap("a", data="x" * (1 << 20))])
            assert (await quick.next()).changes
