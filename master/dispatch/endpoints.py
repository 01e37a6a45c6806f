"""The endpoints of services as slices: a change of one endpoint is then a small message.

A service's slices are its EndpointSlice objects. The Endpoints that people write for a service without a selector are
distributed over slices here, and the EndpointSlices that mirror them are left out: so nodes need not wait for these,
and get each address once. Owns these slices; the other functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from master.dispatch.convert import is_ipv4, is_served, object_ref
from master.dispatch.items import Key
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import EndpointSlice
from proto import checks
from proto.gen import desired_pb2 as wire

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGED_BY_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
MIRRORED_BY: Final = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR_LABEL: Final = "endpointslice.kubernetes.io/skip-mirror"
MAX_ENDPOINTS: Final = 100
"""Endpoints in one slice, as in Kubernetes."""

Port = tuple[str, str, int]
"""Name, protocol, number."""


@dataclass(frozen=True, slots=True)
class Part:
    """The content of a slice. Each address has each port."""

    ports: tuple[Port, ...]
    addresses: tuple[str, ...]
    hostnames: tuple[str, ...] = ()
    """In DNS, one for each address; empty if none has one."""


def slice_message(endpoint_slice: EndpointSlice) -> wire.EndpointSlice | None:
    """The ready endpoints of an EndpointSlice; None when it has none for nodes, which have IPv4 only."""
    meta = endpoint_slice.metadata
    service = meta.labels.get(SERVICE_LABEL, "")
    # The value of a label need not be a valid name, and then there is no such service.
    if (
        not checks.is_name(service)
        or meta.labels.get(MANAGED_BY_LABEL) == MIRRORED_BY
        or endpoint_slice.address_type != "IPv4"
    ):
        return None
    ports = tuple(
        (port.name or "", port.protocol or "TCP", port.port)
        for port in endpoint_slice.ports
        if port.port and is_served(port.protocol or "")
    )
    # The addresses of one endpoint are interchangeable, and Kubernetes uses only the first.
    named = [
        (endpoint.addresses[0], endpoint.hostname or "")
        for endpoint in endpoint_slice.endpoints
        if endpoint.addresses and endpoint.conditions.ready is not False and is_ipv4(endpoint.addresses[0])
    ]
    # A headless service may have no ports: its endpoints have names all the same.
    if not named or (endpoint_slice.ports and not ports):
        return None
    return part_message(_part(ports, named), meta.namespace, service, meta.name)


def _part(ports: tuple[Port, ...], named: Sequence[tuple[str, str]]) -> Part:
    """A part of these addresses with their host names."""
    hostnames = tuple(hostname for _, hostname in named)
    return Part(ports, tuple(address for address, _ in named), hostnames if any(hostnames) else ())


def part_message(part: Part, namespace: str, service: str, name: str) -> wire.EndpointSlice:
    """A slice of the service."""
    ports = [wire.EndpointPort(name=name, protocol=protocol, port=port) for name, protocol, port in part.ports]
    return wire.EndpointSlice(
        ref=object_ref(namespace, name),
        service=service,
        endpoints=wire.EndpointSubset(addresses=part.addresses, ports=ports, hostnames=part.hostnames),
    )


def is_mirrored(endpoints: Endpoints) -> bool:
    """Whether slices are made of the Endpoints, if their service has no selector."""
    return endpoints.metadata.labels.get(SKIP_MIRROR_LABEL) != "true"


class Mirrored:
    """The slices that are made of written Endpoints; keys are those of the Endpoints."""

    def __init__(self) -> None:
        self._parts: dict[Key, dict[int, Part]] = {}
        self._without_selector: set[Key] = set()
        """Services whose endpoints people write."""

    def set_selector(self, key: Key, service: Service | None) -> bool:
        """Note the service. Returns whether `changes` has to be asked again."""
        is_written = service is not None and not service.spec.selector
        if is_written == (key in self._without_selector):
            return False
        self._without_selector ^= {key}
        return True

    def changes(self, key: Key, endpoints: Endpoints | None) -> Iterator[tuple[str, wire.EndpointSlice | None]]:
        """The names of the slices that have changed since the last call, with their content; None: removed."""
        before = self._parts.pop(key, {})
        after: dict[int, Part] = {}
        if endpoints is not None and key in self._without_selector and is_mirrored(endpoints):
            after = self._parts[key] = distributed(endpoints, before)
        for number in before.keys() | after.keys():
            name, part = f"{key.name}/{number}", after.get(number)
            if part is None:
                yield name, None
            elif part != before.get(number):
                yield name, part_message(part, key.namespace, key.name, name)


def distributed(endpoints: Endpoints, before: Mapping[int, Part]) -> dict[int, Part]:
    """The parts of Endpoints by number. Addresses stay in their part; new ones first fill parts with free places."""
    waiting = _by_ports(endpoints)
    kept: dict[int, tuple[tuple[Port, ...], list[tuple[str, str]]]] = {}
    for number, part in sorted(before.items()):
        addresses = waiting.get(part.ports, {})
        kept[number] = part.ports, [(text, addresses.pop(text)) for text in part.addresses if text in addresses]
    for ports, held in kept.values():
        held.extend(_taken(waiting.get(ports, {}), MAX_ENDPOINTS - len(held)))
    parts = {number: _part(ports, held) for number, (ports, held) in kept.items() if held}
    free = (number for number in range(len(parts) + sum(map(len, waiting.values()))) if number not in parts)
    for ports, addresses in waiting.items():
        while addresses:
            parts[next(free)] = _part(ports, list(_taken(addresses, MAX_ENDPOINTS)))
    return parts


def _by_ports(endpoints: Endpoints) -> dict[tuple[Port, ...], dict[str, str]]:
    """The ready addresses with their host names for each set of ports, in order and without duplicates."""
    groups: dict[tuple[Port, ...], dict[str, str]] = {}
    for subset in endpoints.subsets:
        ports = tuple(
            (port.name, port.protocol or "TCP", port.port) for port in subset.ports if is_served(port.protocol)
        )
        if ports or not subset.ports:
            groups.setdefault(ports, {}).update(
                (address.ip, address.hostname) for address in subset.addresses if is_ipv4(address.ip)
            )
    return groups


def _taken(addresses: dict[str, str], count: int) -> Iterator[tuple[str, str]]:
    """Take up to `count` addresses out, with their host names."""
    for text in list(addresses)[: max(count, 0)]:
        yield text, addresses.pop(text)
