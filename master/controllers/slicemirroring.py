"""The mirroring controller: EndpointSlices for the Endpoints that people write for a service without a selector.

Programs that read only EndpointSlices find these addresses too. Owns the slices that carry its managed-by label.
"""

from __future__ import annotations

from collections.abc import Iterable

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry, typed
from master.clock import Clock
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.mirrors import is_mirror, mirror, wants_mirror
from master.controllers.slices import SERVICE_LABEL, Plan
from master.controllers.slicewrites import carry_out
from master.controllers.workqueue import WorkQueue
from master.objects.index import LABEL, label_value


class SliceMirroringController:
    """Keeps the mirrors of all written Endpoints up to date."""

    name = "endpointslicemirroring"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:endpointslicemirroring-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.SERVICE, kinds.ENDPOINTS, kinds.ENDPOINTSLICE)
        await run_keyed(self._cache, self._queue, watched=watched, keys=self._keys, sync=self._sync)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        if entry.kind is not kinds.ENDPOINTSLICE:
            return [entry.key]
        service = entry.meta.labels.get(SERVICE_LABEL, "")
        return [(entry.namespace, service)] if service and is_mirror(entry.meta.labels) else []

    async def _sync(self, key: ObjectKey) -> None:
        service, endpoints = self._cache.get(kinds.SERVICE, *key), self._cache.get(kinds.ENDPOINTS, *key)
        named = self._cache.by(kinds.ENDPOINTSLICE, LABEL, label_value(SERVICE_LABEL, key[1]), key[0])
        stored = list(typed(entry for entry in named if is_mirror(entry.meta.labels)))
        if endpoints is not None and wants_mirror(endpoints, service):
            plan = mirror(endpoints, stored)
        else:
            plan = Plan(delete=tuple(stored))
        await carry_out(self._resources, self._caller, key[0], plan)
