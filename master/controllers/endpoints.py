"""The endpoints controller: one Endpoints object for each service with a selector.

Owns those objects. Endpoints that people write for services without a selector stay until their service is deleted, and
those that never had a service stay until the controller starts again, as in Kubernetes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from master import kinds
from master.api.errors import NotFound
from master.api.identity import component
from master.api.resources import Resources
from master.cache import Entry
from master.clock import Clock
from master.component.selection import pods_of, selecting
from master.controllers.backends import HEADLESS_LABEL, Backend, BackendPort, backends, is_headless, is_ours
from master.controllers.keyed import ObjectKey
from master.controllers.podkeyed import run_with_pods
from master.controllers.workqueue import WorkQueue
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.service.model import Service
from master.objects.meta import ObjectMeta

LEADER_ANNOTATION: Final = "control-plane.alpha.kubernetes.io/leader"
"""Marks Endpoints that programs use to elect a leader. These do not have the addresses of a service."""
log = logging.getLogger(__name__)


def subsets(service_backends: Sequence[Backend], *, publish_not_ready: bool = False) -> tuple[EndpointSubset, ...]:
    """The backends grouped by their ports, without terminating ones unless not-ready addresses are published."""
    groups: dict[tuple[BackendPort, ...], list[Backend]] = {}
    for backend in service_backends:
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
    """The service's labels, with Kubernetes' label for headless services added where it applies."""
    return {**service.metadata.labels, **({HEADLESS_LABEL: ""} if is_headless(service) else {})}


class EndpointsController:
    """Keeps the Endpoints of all services up to date."""

    name = "endpoints"

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._cache = resources.cache
        self._caller = component("controller:endpoint-controller")
        self._queue: WorkQueue[ObjectKey] = WorkQueue(self.name, clock)

    async def run(self) -> None:
        """Runs until cancelled."""
        own = (kinds.SERVICE, kinds.ENDPOINTS)
        # The service may have been deleted just before the master stopped.
        for entry in self._cache.entries(kinds.ENDPOINTS):
            self._queue.add(entry.key)
        await run_with_pods(self._cache, self._queue, own, keys=self._keys, sync=self._sync)

    def _keys(self, entry: Entry) -> Iterable[ObjectKey]:
        if entry.kind is kinds.SERVICE:
            return [entry.key]
        if entry.kind is kinds.ENDPOINTS:
            return [entry.key] if self._cache.entry(kinds.SERVICE, *entry.key) is not None else []
        return [
            (entry.namespace, service)
            for service in selecting(self._cache, kinds.SERVICE, entry.namespace, entry.meta.labels)
        ]

    async def _sync(self, key: ObjectKey) -> None:
        service = self._cache.get(kinds.SERVICE, *key)
        stored = self._cache.get(kinds.ENDPOINTS, *key)
        if service is None:
            await self._delete(stored)
            return
        if not is_ours(service):
            return
        current = backends(service, pods_of(self._cache, key[0], service.spec.selector))
        desired = subsets(current, publish_not_ready=service.spec.publish_not_ready_addresses)
        labels = labels_of(service)
        if stored is None:
            meta = ObjectMeta(name=key[1], namespace=key[0], labels=labels)
            await self._resources.create(
                self._caller, kinds.ENDPOINTS, Endpoints(metadata=meta, subsets=desired), namespace=key[0]
            )
        elif (stored.subsets, stored.metadata.labels) != (desired, labels):
            meta = msgspec.structs.replace(stored.metadata, labels=labels)
            changed = msgspec.structs.replace(stored, metadata=meta, subsets=desired)
            await self._resources.update(self._caller, kinds.ENDPOINTS, changed)

    async def _delete(self, stored: Endpoints | None) -> None:
        """Deletes the Endpoints of a service that is gone, also those that people wrote."""
        if stored is None or LEADER_ANNOTATION in stored.metadata.annotations:
            return
        meta = stored.metadata
        try:
            await self._resources.delete(self._caller, kinds.ENDPOINTS, meta.namespace, meta.name, uid=meta.uid)
        except NotFound:
            return
