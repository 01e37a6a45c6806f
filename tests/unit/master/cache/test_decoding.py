"""Which decoded objects the cache keeps: those of hot kinds, and of the others the ones that were decoded last."""

from __future__ import annotations

from master import kinds
from master.cache import Cache
from master.cache.decoding import RING_OBJECTS, Decoded, Ring
from master.kinds import CONFIGMAP, NAMESPACE, POD
from master.store.interface import Put
from master.store.memory import MemoryStore
from tests.unit.master.cache.bodies import body, configmap, pod


async def test_hot_kinds_stay_decoded_and_others_for_a_while() -> None:
    store = MemoryStore()
    await store.commit([], [Put(NAMESPACE.key("", "n"), body(NAMESPACE, "n", "")), configmap("a")])
    cache = await Cache.load(store, kinds.ALL)
    namespace, configmap_a = cache.get(NAMESPACE, "", "n"), cache.get(CONFIGMAP, "default", "a")
    assert cache.get(CONFIGMAP, "default", "a") is configmap_a
    await store.commit([], [pod(f"p{number}") for number in range(RING_OBJECTS)])
    assert len(cache.list(POD)) == RING_OBJECTS
    assert cache.get(NAMESPACE, "", "n") is namespace
    assert cache.get(CONFIGMAP, "default", "a") is not configmap_a
    assert cache.get(CONFIGMAP, "default", "a") == configmap_a


def test_the_ring_is_limited_in_number_and_bytes() -> None:
    ring = Ring(most=2, most_bytes=100)
    first, second, third = (Decoded(object(), 10) for _ in range(3))
    for decoded in (first, second, third):
        ring.add(decoded)
    assert (first.obj, second.obj is None, third.obj is None) == (None, False, False)
    large = Decoded(object(), 1000)
    ring.add(large)
    assert (second.obj, third.obj, large.obj is None) == (None, None, False), "the one in use stays, whatever its size"


async def test_the_metadata_is_read_without_decoding_the_object() -> None:
    store = MemoryStore()
    await store.commit([], [pod("p", app="x")])
    cache = await Cache.load(store, kinds.ALL)
    entry = cache.entry(POD, "default", "p")
    assert entry is not None
    assert (entry.meta.labels, entry.decoded) == ({"app": "x"}, None)
    assert entry.obj.metadata.labels == entry.meta.labels
