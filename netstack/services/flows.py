"""Finds stale flows: tracked flows that still go to an endpoint that its service no longer has.

Pure. Of TCP it considers only connections that have not been answered yet. An established connection to a pod that is
gone ends by itself, and one to a pod that only left its service shall continue. But the kernel remembers an unanswered
connection for two minutes (nf_conntrack_tcp_timeout_syn_sent), and sends a new connection from the same port to the
same dead endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from netstack.desired import Endpoint, ServicePort

TCP: Final = "tcp"
UDP: Final = "udp"


@dataclass(frozen=True, slots=True)
class Flow:
    """A TCP or UDP flow: the address that its client sends to, and the server that answers or would answer.

    `handle` identifies the flow to the kernel.
    """

    protocol: str
    destination: IPv4Address
    port: int
    server: IPv4Address
    server_port: int
    handle: bytes = b""

    @property
    def translated(self) -> bool:
        return (self.destination, self.port) != (self.server, self.server_port)


Frontends = dict[tuple[str, IPv4Address, int], frozenset[Endpoint]]
"""The endpoints of each frontend: a protocol, and an address and port that clients send to."""


def changed_frontends(
    before: Sequence[ServicePort], after: Sequence[ServicePort], local: Iterable[IPv4Address]
) -> Frontends:
    """Frontends of services whose endpoints changed, each with its present endpoints.

    `local` are the node's own addresses, which serve node ports.
    """
    addresses = tuple(local)
    old_services, new_services = ({service.name: service for service in services} for services in (before, after))
    names = [
        name for name in old_services.keys() | new_services.keys() if old_services.get(name) != new_services.get(name)
    ]
    old, new = (
        _frontends([services[name] for name in names if name in services], addresses)
        for services in (old_services, new_services)
    )
    return differing(old, new)


def differing(old: Frontends, new: Frontends) -> Frontends:
    """The frontends whose endpoints are others than before, each with its new endpoints."""
    return {key: new.get(key, frozenset()) for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def stale(flows: Iterable[Flow], frontends: Frontends) -> list[Flow]:
    """Flows to an endpoint that the service no longer has, and flows that began before the service had an endpoint."""
    return [flow for flow in flows if _stale(flow, frontends.get((flow.protocol, flow.destination, flow.port)))]


def _stale(flow: Flow, endpoints: frozenset[Endpoint] | None) -> bool:
    if endpoints is None or Endpoint(flow.server, flow.server_port) in endpoints:
        return False
    return flow.translated or bool(endpoints)


def _frontends(services: Iterable[ServicePort], local: tuple[IPv4Address, ...]) -> Frontends:
    frontends: Frontends = {}
    for service in services:
        protocol = service.protocol.lower()
        if protocol in (TCP, UDP):
            endpoints = frozenset(service.endpoints)
            frontends[protocol, service.cluster_ip, service.port] = endpoints
            if service.node_port:
                frontends.update({(protocol, address, service.node_port): endpoints for address in local})
    return frontends
