"""The endpoints controller: one Endpoints object for each service with a selector.

Owns those objects. Leaves alone what people write for services without a selector, until the service goes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from master.api import kinds
from master.api.errors import NotFound
from master.api.identity import component
from master.api.kinds.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.api.kinds.service import Service
from master.api.resources import Resources
from master.clock import Clock
from master.component.podstate import selects
from master.controllers.backends import HEADLESS_LABEL, Backend, BackendPort, backends, is_headless, is_ours
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.objects.kind import KindSpec
from master.objects.meta import ObjectMeta

log = logging.getLogger(__name__)


def subsets(found: Sequence[Backend], *, publish_not_ready: bool = False) -> tuple[EndpointSubset, ...]:
    """Backends with the same ports together; those on their way out are left out."""
    groups: dict[tuple[BackendPort, ...], list[Backend]] = {}
    for backend in found:
        if not backend.terminating or publish_not_ready:
            groups.setdefault(backend.ports, []).append(backend)
    return tuple(_subset(ports, groups[ports]) for ports in sorted(groups))


def _subset(ports: Sequence[BackendPort], group: Sequence[Backend]) -> EndpointSubset:
    return EndpointSubset(
        addresses=tuple(_address(backend) for backend in group if backend.ready),
        not_ready_addresses=tuple(_address(backend) for backend in group if not backend.ready),
        ports=tuple(
            EndpointPort(name=p.name, port=p.port, protocol=p.protocol, app_protocol=p.app_protocol) for p in ports
        ),
    )


def _address(backend: Backend) -> EndpointAddress:
    return EndpointAddress(
        ip=backend.ip,
        hostname=backend.hostname,
        node_name=backend.node_name or None,
        target_ref=backend.target_ref,
    )


def labels_of(service: Service) -> dict[str, str]:
    """The service's own labels, and the mark of a headless one."""
    return {**service.metadata.labels, **({HEADLESS_LABEL: ""} if is_headless(service) else {})}


class EndpointsController:
    """Makes the Endpoints of all services right."""

    name = "endpoints"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:endpoint-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        watched = (kinds.SERVICE, kinds.POD, kinds.ENDPOINTS)
        await run_keyed(self._cache, self._queue, watched=watched, keys=self._keys, sync=self._sync)

    def _keys(self, kind: KindSpec[Any], obj: Any) -> Iterable[ObjectKey]:
        meta = obj.metadata
        if kind is not kinds.POD:
            return [(meta.namespace, meta.name)]
        services = self._cache.list(kinds.SERVICE, meta.namespace)
        return [(meta.namespace, s.metadata.name) for s in services if selects(s.spec.selector, meta.labels)]

    async def _sync(self, key: ObjectKey) -> None:
        service = self._cache.get(kinds.SERVICE, *key)
        stored = self._cache.get(kinds.ENDPOINTS, *key)
        if service is None:
            await self._delete(stored)
            return
        if not is_ours(service):
            return
        found = backends(service, self._cache.list(kinds.POD, key[0]))
        wanted = subsets(found, publish_not_ready=service.spec.publish_not_ready_addresses)
        labels = labels_of(service)
        if stored is None:
            meta = ObjectMeta(name=key[1], namespace=key[0], labels=labels)
            await self._resources.create(
                self._caller, kinds.ENDPOINTS, Endpoints(metadata=meta, subsets=wanted), namespace=key[0]
            )
        elif (stored.subsets, stored.metadata.labels) != (wanted, labels):
            meta = msgspec.structs.replace(stored.metadata, labels=labels)
            changed = msgspec.structs.replace(stored, metadata=meta, subsets=wanted)
            await self._resources.update(self._caller, kinds.ENDPOINTS, changed)

    async def _delete(self, stored: Endpoints | None) -> None:
        """Those of a service that is gone, whoever wrote them."""
        if stored is None:
            return
        meta = stored.metadata
        try:
            await self._resources.delete(self._caller, kinds.ENDPOINTS, meta.namespace, meta.name, uid=meta.uid)
        except NotFound:
            return
