"""From the master's messages to the content of the node's DNS: its settings, and services with their endpoints.

Owns the values of the last call, so that the cost of a change follows the change. A service or an endpoint with a name
or an address that DNS cannot have is logged and left out: it must not stop the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from agent.wire.network import Backends
from netstack.dns.cluster import Endpoint, Port, Service, ServiceKey, Settings
from proto.gen import desired_pb2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DnsContent:
    """What the process of DNS has to know. `settings` is without the resolvers, which the process's owner reads."""

    settings: Settings
    services: Mapping[ServiceKey, Service]


@dataclass(frozen=True, slots=True)
class _Made:
    """A service, and the messages that it was made of."""

    message: desired_pb2.Service
    subsets: Sequence[desired_pb2.EndpointSubset]
    service: Service | None

    def is_of(self, message: desired_pb2.Service, subsets: Sequence[desired_pb2.EndpointSubset]) -> bool:
        return message is self.message and subsets == self.subsets


class DnsNames:
    """Converts services, and those that did not change only once."""

    def __init__(self) -> None:
        self._made: dict[ServiceKey, _Made] = {}

    def content(
        self,
        own: desired_pb2.NodeConfig,
        services: Mapping[ServiceKey, desired_pb2.Service],
        backends: Backends,
        address: IPv4Address,
    ) -> DnsContent:
        """The content for these messages; `address`: where the node answers."""
        made: dict[ServiceKey, _Made] = {}
        for key, message in services.items():
            subsets, before = backends.get(key, ()), self._made.get(key)
            same = before is not None and before.is_of(message, subsets)
            made[key] = before if before and same else _Made(message, subsets, _service(message, subsets))
        self._made = made
        networks = (IPv4Network(own.service_cidr), IPv4Network(own.cluster_cidr))
        return DnsContent(
            Settings(own.cluster_domain, address, networks),
            {key: each.service for key, each in made.items() if each.service is not None},
        )


def _service(message: desired_pb2.Service, subsets: Sequence[desired_pb2.EndpointSubset]) -> Service | None:
    name = f"{message.ref.namespace}/{message.ref.name}"
    headless = not message.cluster_ip and not message.external_name
    try:
        return Service(
            message.ref.namespace,
            message.ref.name,
            IPv4Address(message.cluster_ip) if message.cluster_ip else None,
            message.external_name,
            tuple(_ports(message.ports)),
            tuple(_endpoints(name, subsets, unnamed=headless)),
        )
    except ValueError as error:
        log.error("service %s: not in DNS: %s", name, error)
        return None


def _ports(ports: Iterable[desired_pb2.ServicePort | desired_pb2.EndpointPort]) -> Iterator[Port]:
    for port in ports:
        yield Port(port.name, (port.protocol or "TCP").lower(), port.port)


def _endpoints(name: str, subsets: Iterable[desired_pb2.EndpointSubset], *, unnamed: bool) -> Iterator[Endpoint]:
    """The endpoints with names of their own; `unnamed`: also the others."""
    for subset in subsets:
        ports = tuple(_ports(subset.ports))
        hostnames = subset.hostnames or [""] * len(subset.addresses)
        for address, hostname in zip(subset.addresses, hostnames, strict=False):
            if hostname or unnamed:
                try:
                    yield Endpoint(IPv4Address(address), hostname, ports)
                except ValueError as error:
                    log.error("service %s: endpoint not in DNS: %s", name, error)
