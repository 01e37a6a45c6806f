"""Kinds that come and go: the cache follows the registry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from master import kinds
from master.cache import Cache, Lagged, NotServed, Serving
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.schema.data import Data
from master.schema.tree import Struct
from master.store.interface import Put
from master.store.memory import MemoryStore


def widgets() -> Resource[Any]:
    return Resource(kind="Widget", plural="widgets", group="example.com", schema=Data("Widget", Struct("Widget")))


async def start() -> tuple[MemoryStore, Cache, Registry, Serving]:
    store, registry = MemoryStore(), kinds.registry()
    cache = await Cache.load(store, registry)
    return store, cache, registry, Serving(registry, cache)


async def put(store: MemoryStore, kind: Resource[Any], name: str) -> None:
    await store.commit([], [Put(kind.key("default", name), b'{"metadata":{"name":"%b"}}' % name.encode())])


async def test_a_kind_is_in_the_cache_before_it_is_served() -> None:
    store, cache, registry, serving = await start()
    kind = widgets()
    await put(store, kind, "a")
    seen = []
    registry.listen(lambda resource, present: seen.append((present, resource in cache, cache.count(resource))))
    await serving.add(kind)
    assert seen == [(True, True, 1)]
    assert registry.find("example.com", "v1", "widgets") is not None


async def test_a_kind_that_is_removed_leaves_the_cache_and_ends_its_followers() -> None:
    _, cache, registry, serving = await start()
    kind = widgets()
    await serving.add(kind)
    subscription = cache.subscribe(kind)
    registry.remove(kind)
    with pytest.raises(Lagged):
        await subscription.next()
    assert kind not in cache
    with pytest.raises(NotServed, match=r"widgets\.example\.com"):
        cache.entry(kind, "default", "a")


async def test_a_later_kind_of_the_same_name_replaces_the_first() -> None:
    store, cache, registry, serving = await start()
    first, second = widgets(), widgets()
    await put(store, first, "a")
    await serving.add(first)
    await serving.add(second)
    assert first not in cache and first not in registry
    assert [entry.kind for entry in cache.entries(second)] == [second]


async def test_two_additions_at_once_leave_one_kind() -> None:
    _, cache, registry, serving = await start()
    both = widgets(), widgets()
    await asyncio.gather(*(serving.add(kind) for kind in both))
    assert [kind in cache for kind in both] == [False, True]
    assert [kind in registry for kind in both] == [False, True]
