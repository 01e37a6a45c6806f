"""Kinds that come and go while the API is served: the cache has a kind before the registry, and loses it with it."""

from __future__ import annotations

import asyncio
from typing import Any

from master.cache.cache import Cache
from master.registry.registry import Registry
from master.registry.resource import Resource


class Serving:
    """Adds kinds to a registry and its cache. The cache follows removals from the registry by itself."""

    def __init__(self, registry: Registry, cache: Cache) -> None:
        self._registry = registry
        self._cache = cache
        self._lock = asyncio.Lock()
        registry.listen(self._changed)

    async def add(self, resource: Resource[Any]) -> None:
        """Begins to serve a resource, with the objects of it that the store has. Raises StoreDamaged, StoreUnavailable.

        A resource of the same name is removed first: its watches end, and until the objects are read again, requests
        get 404. They still do after an error.
        """
        async with self._lock:
            earlier = self._registry.named(resource.resource)
            if earlier is not None:
                self._registry.remove(earlier)
            await self._cache.add(resource)
            self._registry.add(resource)

    def _changed(self, resource: Resource[Any], present: bool) -> None:
        if not present and resource in self._cache:
            self._cache.remove(resource)
