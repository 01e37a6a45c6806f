"""The EndpointSlices that mirror Endpoints which people wrote, by the rules of Kubernetes. Pure functions."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from master import kinds
from master.controllers.endpoints import LEADER_ANNOTATION
from master.controllers.slices import MANAGED_BY_LABEL, SERVICE_LABEL, Plan, difference
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import Endpoint, EndpointConditions, EndpointSlice, EndpointSlicePort
from master.objects.meta import ObjectMeta, OwnerReference

MIRRORED_BY: Final = "endpointslicemirroring-controller.k8s.io"
MIRROR_LIMIT: Final = 1000
"""Endpoints of one slice, and so of one set of ports: Kubernetes leaves further ones out."""
_SKIP_LABEL: Final = "endpointslice.kubernetes.io/skip-mirror"
_NOT_COPIED: Final = (
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
)

Group = tuple[str, tuple[EndpointSlicePort, ...]]
"""Type of the addresses, ports: all endpoints of a slice have the same."""


def is_mirror(labels: Mapping[str, str]) -> bool:
    """Whether the slice with these labels mirrors Endpoints."""
    return labels.get(MANAGED_BY_LABEL) == MIRRORED_BY


def wants_mirror(endpoints: Endpoints | None, service: Service | None) -> bool:
    """Whether the Endpoints of a service are mirrored: those of a service without a selector."""
    if endpoints is None or service is None or service.spec.selector or endpoints.metadata.deletion_timestamp:
        return False
    meta = endpoints.metadata
    return meta.labels.get(_SKIP_LABEL) != "true" and LEADER_ANNOTATION not in meta.annotations


def mirror(endpoints: Endpoints, existing: Iterable[EndpointSlice]) -> Plan:
    """One slice for each set of ports and type of addresses. A slice that exists is kept and changed."""
    stored = sorted(existing, key=lambda each: each.metadata.name)
    by_group: dict[Group, EndpointSlice] = {}
    for each in stored:
        by_group.setdefault((each.address_type, each.ports), each)
    desired = []
    for group, members in _groups(endpoints).items():
        kept = by_group.get(group)
        meta = ObjectMeta(name=_name(endpoints, group)) if kept is None else kept.metadata
        meta = _metadata(endpoints, meta)
        content = tuple(members[:MIRROR_LIMIT])
        desired.append(EndpointSlice(metadata=meta, address_type=group[0], ports=group[1], endpoints=content))
    return difference(stored, [_as_stored(each, stored) for each in desired])


def _as_stored(desired: EndpointSlice, stored: Iterable[EndpointSlice]) -> EndpointSlice:
    """The slice with apiVersion and kind, if it exists."""
    found = next((each for each in stored if each.metadata.name == desired.metadata.name), None)
    return desired if found is None else replace(found, metadata=desired.metadata, endpoints=desired.endpoints)


def _groups(endpoints: Endpoints) -> dict[Group, list[Endpoint]]:
    """The endpoints by their ports. The ports that an address has in several subsets are put together."""
    ports: dict[tuple[EndpointAddress, bool], dict[EndpointSlicePort, None]] = {}
    keys: dict[str, tuple[EndpointAddress, bool]] = {}
    for subset in endpoints.subsets:
        of_subset = dict.fromkeys(map(_port, subset.ports))
        for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses)):
            for address in addresses:
                key = keys.setdefault(f"{address} {ready}", (address, ready))
                ports.setdefault(key, {}).update(of_subset)
    groups: dict[Group, list[Endpoint]] = {}
    for (address, ready), own in ports.items():
        # An earlier release may have stored another text.
        with contextlib.suppress(ValueError):
            text = str(ipaddress.ip_address(address.ip))
            family = "IPv6" if ":" in text else "IPv4"
            members = groups.setdefault((family, tuple(own)), [])
            members.append(_endpoint(address, text, ready=ready))
    return groups


def _port(port: EndpointPort) -> EndpointSlicePort:
    return EndpointSlicePort(
        name=port.name, port=port.port, protocol=port.protocol or "TCP", app_protocol=port.app_protocol
    )


def _endpoint(address: EndpointAddress, text: str, *, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(text,),
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        target_ref=address.target_ref,
        node_name=address.node_name,
    )


def _metadata(endpoints: Endpoints, meta: ObjectMeta) -> ObjectMeta:
    """The metadata of a slice with the labels, annotations and owner that follow from the Endpoints."""
    source = endpoints.metadata
    owner = OwnerReference(
        api_version="v1",
        kind=kinds.ENDPOINTS.kind,
        name=source.name,
        uid=source.uid,
        controller=True,
        block_owner_deletion=True,
    )
    annotations = {name: value for name, value in source.annotations.items() if name not in _NOT_COPIED}
    return replace(
        meta,
        namespace=source.namespace,
        labels={**source.labels, SERVICE_LABEL: source.name, MANAGED_BY_LABEL: MIRRORED_BY},
        annotations=annotations,
        owner_references=(owner,),
    )


def _name(endpoints: Endpoints, group: Group) -> str:
    """A name derived from the content: a change that is computed twice gets the same name, and creates one slice."""
    family, ports = group
    seed = f"{endpoints.metadata.uid} {family} {[(p.name, p.port, p.protocol, p.app_protocol) for p in ports]}"
    return f"{endpoints.metadata.name}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"
