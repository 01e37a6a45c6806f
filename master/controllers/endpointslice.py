"""The endpoint slice controller: the EndpointSlices of each service with a selector.

Owns the slices that carry its managed-by label. The garbage collector deletes the slices of a deleted service, because
the service is their owner.
"""

from __future__ import annotations

from collections.abc import Iterable

from master import kinds
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry, typed
from master.clock import Clock
from master.component.selection import pods_of, selecting
from master.controllers.backends import backends, is_ours
from master.controllers.keyed import ObjectKey
from master.controllers.podkeyed import run_with_pods
from master.controllers.slices import SERVICE_LABEL, is_managed, plan
from master.controllers.slicewrites import carry_out
from master.controllers.workqueue import WorkQueue
from master.objects.index import LABEL, label_value


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
        own = (kinds.SERVICE, kinds.ENDPOINTSLICE)
        await run_with_pods(self._cache, self._queue, own, keys=self._keys, sync=self._sync)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        if entry.kind is kinds.SERVICE:
            return [entry.key]
        namespace, labels = entry.namespace, entry.meta.labels
        if entry.kind is kinds.ENDPOINTSLICE:
            service = labels.get(SERVICE_LABEL, "")
            return [(namespace, service)] if service and is_managed(labels) else []
        return [(namespace, service) for service in selecting(self._cache, kinds.SERVICE, namespace, labels)]

    async def _sync(self, key: ObjectKey) -> None:
        service = self._cache.get(kinds.SERVICE, *key)
        if service is None or not is_ours(service):
            return
        named = self._cache.by(kinds.ENDPOINTSLICE, LABEL, label_value(SERVICE_LABEL, key[1]), key[0])
        stored = typed(entry for entry in named if is_managed(entry.meta.labels))
        current = backends(service, pods_of(self._cache, key[0], service.spec.selector))
        await carry_out(self._resources, self._caller, key[0], plan(service, current, stored))
