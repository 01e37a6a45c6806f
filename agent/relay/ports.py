"""Which ports the relay opens on the loopback, and where each leads to. Pure.

Owns the choice of the address: 127.0.0.1, unless a pod names another one of the loopback. TCP only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from netstack.desired import Endpoint, PublishedPort, ServicePort

LOOPBACK: Final = IPv4Address("127.0.0.1")
_TCP: Final = "tcp"

Key = tuple[IPv4Address, int]
"""An address of the loopback, and a port."""


@dataclass(frozen=True, slots=True)
class RelayPort:
    """What a port is for, such as `nodePort for default/web:http`, and where its connections lead to."""

    purpose: str
    target: Endpoint


def relay_ports(services: Iterable[ServicePort], host_ports: Iterable[PublishedPort]) -> dict[Key, RelayPort]:
    """The ports of the loopback. As for packets from outside, a node port counts more than a host port."""
    return dict((*_host_ports(host_ports), *_node_ports(services)))


def _node_ports(services: Iterable[ServicePort]) -> Iterator[tuple[Key, RelayPort]]:
    """The cluster IP leads to an endpoint by the rules, or is refused by them if there is none."""
    for service in services:
        if service.node_port and service.protocol.lower() == _TCP:
            target = Endpoint(service.cluster_ip, service.port)
            yield (LOOPBACK, service.node_port), RelayPort(f"nodePort for {service.name}", target)


def _host_ports(host_ports: Iterable[PublishedPort]) -> Iterator[tuple[Key, RelayPort]]:
    for port in host_ports:
        address = LOOPBACK if port.host.address is None else port.host.address
        if address.is_loopback and port.host.protocol == _TCP:
            yield (address, port.host.port), RelayPort(f"hostPort for {port.host.name}", port.endpoint)
