"""Distributes the backends of a service over EndpointSlices with as few writes as possible. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from master import kinds
from master.controllers.backends import HEADLESS_LABEL, Backend, BackendPort, is_headless
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import Endpoint, EndpointConditions, EndpointSlice, EndpointSlicePort
from master.objects.meta import ObjectMeta, OwnerReference

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslice-controller.k8s.io"
# Kubernetes' --max-endpoints-per-slice.
SLICE_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """The slices to create, update and delete."""

    create: tuple[EndpointSlice, ...] = ()
    update: tuple[EndpointSlice, ...] = ()
    delete: tuple[EndpointSlice, ...] = ()


def is_managed(labels: Mapping[str, str]) -> bool:
    """Whether this controller manages the slice with these labels."""
    return labels.get(MANAGED_BY_LABEL) == MANAGED_BY


def plan(service: Service, current: Sequence[Backend], existing: Iterable[EndpointSlice]) -> Plan:
    """Endpoints stay in their slice; new ones first fill slices with free places, then new slices."""
    stored = sorted(existing, key=lambda endpoint_slice: endpoint_slice.metadata.name)
    groups: dict[tuple[EndpointSlicePort, ...], dict[str, Endpoint]] = {}
    for backend in current:
        groups.setdefault(_ports(backend.ports), {})[backend.uid] = _endpoint(backend)
    if not groups:
        # One empty slice tells clients that the service is known and has no backends.
        groups[()] = {}
    desired: list[EndpointSlice] = []
    names = {endpoint_slice.metadata.name for endpoint_slice in stored}
    for ports, endpoints in groups.items():
        of_ports = [endpoint_slice for endpoint_slice in stored if endpoint_slice.ports == ports]
        kept, rest = _fill(of_ports, endpoints)
        desired += [
            _renewed(endpoint_slice, service, kept[endpoint_slice.metadata.name])
            for endpoint_slice in of_ports
            if endpoint_slice.metadata.name in kept
        ]
        desired += [_new(service, ports, chunk, names) for chunk in _chunks(rest)]
        if not kept and not rest:
            desired.append(_new(service, ports, (), names))
    return difference(stored, desired)


def _fill(
    stored: Sequence[EndpointSlice], endpoints: dict[str, Endpoint]
) -> tuple[dict[str, tuple[Endpoint, ...]], tuple[Endpoint, ...]]:
    """The new content of each stored slice that stays, by name, and the endpoints that fit into none of them."""
    missing = dict(endpoints)
    content: dict[str, list[Endpoint]] = {}
    for endpoint_slice in stored:
        uids = [endpoint.target_ref.uid for endpoint in endpoint_slice.endpoints if endpoint.target_ref is not None]
        content[endpoint_slice.metadata.name] = [missing.pop(uid) for uid in uids if uid in missing]
    for held in content.values():
        while missing and len(held) < SLICE_LIMIT:
            held.append(missing.pop(next(iter(missing))))
    filled = {name: tuple(held) for name, held in content.items() if held}
    if not endpoints and content:
        filled = {next(iter(content)): ()}
    return filled, tuple(missing.values())


def _chunks(endpoints: Sequence[Endpoint]) -> list[tuple[Endpoint, ...]]:
    return [tuple(endpoints[at : at + SLICE_LIMIT]) for at in range(0, len(endpoints), SLICE_LIMIT)]


def difference(stored: Sequence[EndpointSlice], desired: Sequence[EndpointSlice]) -> Plan:
    """The changes that make the desired slices out of the stored ones. Slices are compared by their names."""
    before = {endpoint_slice.metadata.name: endpoint_slice for endpoint_slice in stored}
    after = {endpoint_slice.metadata.name: endpoint_slice for endpoint_slice in desired}
    return Plan(
        create=tuple(endpoint_slice for name, endpoint_slice in after.items() if name not in before),
        update=tuple(
            endpoint_slice
            for name, endpoint_slice in after.items()
            if name in before and endpoint_slice != before[name]
        ),
        delete=tuple(endpoint_slice for name, endpoint_slice in before.items() if name not in after),
    )


def _labels(service: Service) -> dict[str, str]:
    headless = {HEADLESS_LABEL: ""} if is_headless(service) else {}
    return {
        **service.metadata.labels,
        **headless,
        SERVICE_LABEL: service.metadata.name,
        MANAGED_BY_LABEL: MANAGED_BY,
    }


def _renewed(endpoint_slice: EndpointSlice, service: Service, endpoints: tuple[Endpoint, ...]) -> EndpointSlice:
    meta = msgspec.structs.replace(endpoint_slice.metadata, labels=_labels(service))
    return msgspec.structs.replace(endpoint_slice, metadata=meta, endpoints=endpoints)


def _new(
    service: Service, ports: tuple[EndpointSlicePort, ...], endpoints: tuple[Endpoint, ...], names: set[str]
) -> EndpointSlice:
    name = _free_name(service, ports, names)
    names.add(name)
    owner = OwnerReference(
        api_version="v1",
        kind=kinds.SERVICE.kind,
        name=service.metadata.name,
        uid=service.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )
    meta = ObjectMeta(
        name=name, namespace=service.metadata.namespace, labels=_labels(service), owner_references=(owner,)
    )
    return EndpointSlice(metadata=meta, address_type="IPv4", ports=ports, endpoints=endpoints)


def _free_name(service: Service, ports: tuple[EndpointSlicePort, ...], names: set[str]) -> str:
    """A name derived from the content: a change that is computed twice gets the same name, and creates one slice."""
    number = 0
    while True:
        seed = f"{service.metadata.uid} {[(p.name, p.port, p.protocol) for p in ports]} {number}"
        name = f"{service.metadata.name}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"
        if name not in names:
            return name
        number += 1


def _ports(ports: Sequence[BackendPort]) -> tuple[EndpointSlicePort, ...]:
    return tuple(
        EndpointSlicePort(name=p.name, port=p.port, protocol=p.protocol, app_protocol=p.app_protocol) for p in ports
    )


def _endpoint(backend: Backend) -> Endpoint:
    return Endpoint(
        addresses=(backend.ip,),
        conditions=EndpointConditions(ready=backend.ready, serving=backend.serving, terminating=backend.terminating),
        hostname=backend.hostname or None,
        target_ref=backend.target_ref,
        node_name=backend.node_name or None,
    )
