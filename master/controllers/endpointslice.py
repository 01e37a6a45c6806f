"""The endpoint slice controller: the EndpointSlices of each service with a selector.

Owns the slices that carry its managed-by label. The garbage collector deletes the slices of a deleted service, because
the service is their owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from master import kinds
from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.clock import Clock
from master.component.podstate import selects
from master.controllers.backends import backends, is_ours
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.slices import SERVICE_LABEL, Plan, is_managed, plan
from master.controllers.workqueue import WorkQueue
from master.registry.resource import Resource


class EndpointSliceController:
    """Keeps the EndpointSlices of all services up to date."""

    name = "endpointslice"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:endpointslice-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.SERVICE, kinds.POD, kinds.ENDPOINTSLICE)
        await run_keyed(self._cache, self._queue, watched=watched, keys=self._keys, sync=self._sync)

    def _keys(self, kind: Resource[Any], obj: Any) -> Iterable[ObjectKey]:
        meta = obj.metadata
        if kind is kinds.SERVICE:
            return [(meta.namespace, meta.name)]
        if kind is kinds.ENDPOINTSLICE:
            service = meta.labels.get(SERVICE_LABEL, "")
            return [(meta.namespace, service)] if service and is_managed(obj) else []
        services = self._cache.list(kinds.SERVICE, meta.namespace)
        return [(meta.namespace, s.metadata.name) for s in services if selects(s.spec.selector, meta.labels)]

    async def _sync(self, key: ObjectKey) -> None:
        service = self._cache.get(kinds.SERVICE, *key)
        if service is None or not is_ours(service):
            return
        stored = [
            endpoint_slice
            for endpoint_slice in self._cache.list(kinds.ENDPOINTSLICE, key[0])
            if is_managed(endpoint_slice) and endpoint_slice.metadata.labels.get(SERVICE_LABEL) == key[1]
        ]
        current = backends(service, self._cache.list(kinds.POD, key[0]))
        await self._apply(key[0], plan(service, current, stored))

    async def _apply(self, namespace: str, changes: Plan) -> None:
        for endpoint_slice in changes.create:
            await self._resources.create(self._caller, kinds.ENDPOINTSLICE, endpoint_slice, namespace=namespace)
        for endpoint_slice in changes.update:
            await self._resources.update(self._caller, kinds.ENDPOINTSLICE, endpoint_slice)
        for endpoint_slice in changes.delete:
            meta = endpoint_slice.metadata
            try:
                await self._resources.delete(self._caller, kinds.ENDPOINTSLICE, namespace, meta.name, uid=meta.uid)
            except NotFound:
                continue
