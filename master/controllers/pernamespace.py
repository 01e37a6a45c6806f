"""A controller of one object in each namespace, such as its default service account."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from master import kinds
from master.api.errors import AlreadyExists, Forbidden, NotFound
from master.cache import Cache, Entry
from master.controllers.keyed import run_keyed
from master.controllers.workqueue import WorkQueue
from master.registry.resource import Resource


async def run_per_namespace(
    cache: Cache,
    queue: WorkQueue[str],
    resource: Resource[Any],
    name: str,
    *,
    ensure: Callable[[str], Awaitable[None]],
) -> None:
    """Calls `ensure` for each namespace, and again when its object of this resource and name changes.

    Namespaces that are being deleted are left out. The keys of the queue are the names of the namespaces.
    """

    def keys(entry: Entry) -> Iterable[str]:
        if entry.kind is kinds.NAMESPACE:
            return [entry.name]
        return [entry.namespace] if entry.name == name else []

    async def sync(namespace: str) -> None:
        owner = cache.entry(kinds.NAMESPACE, "", namespace)
        if owner is None or owner.meta.deletion_timestamp:
            return
        # Forbidden and NotFound: the deletion of the namespace begins at this moment.
        with contextlib.suppress(AlreadyExists, Forbidden, NotFound):
            await ensure(namespace)

    watched = (kinds.NAMESPACE, resource)
    await run_keyed(cache, queue, watched=watched, keys=keys, sync=sync, first=(kinds.NAMESPACE,), workers=2)
