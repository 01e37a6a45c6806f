"""Which tracked flows still go where no endpoint is any more.

Pure. Of TCP these are connections that nobody has answered yet: an established one to a pod that is gone ends, and to
one that only left its service it is to go on. But an unanswered one stays known to the kernel for two minutes
(nf_conntrack_tcp_timeout_syn_sent), and a new connection from the same port would be sent after it.
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
    """Of TCP or UDP: where its client sends to, and who answers or would. `handle` is how the kernel is told of it."""

    protocol: str
    destination: IPv4Address
    port: int
    server: IPv4Address
    server_port: int
    handle: bytes = b""

    @property
    def translated(self) -> bool:
        return (self.destination, self.port) != (self.server, self.server_port)


Doors = dict[tuple[str, IPv4Address, int], frozenset[Endpoint]]
"""Protocol, address and port that clients send to, and the endpoints behind."""


def changed_doors(before: Sequence[ServicePort], after: Sequence[ServicePort], local: Iterable[IPv4Address]) -> Doors:
    """Doors of services whose endpoints are others than before, each with those that it has now.

    `local` are the node's own addresses, where node ports are.
    """
    addresses = tuple(local)
    was, is_ = ({service.name: service for service in services} for services in (before, after))
    names = [name for name in was.keys() | is_.keys() if was.get(name) != is_.get(name)]
    old, new = (_doors([of[name] for name in names if name in of], addresses) for of in (was, is_))
    return {door: new.get(door, frozenset()) for door in old.keys() | new.keys() if old.get(door) != new.get(door)}


def stale(flows: Iterable[Flow], doors: Doors) -> list[Flow]:
    """Flows to an endpoint that is none any more, and those that began before there was one."""
    return [flow for flow in flows if _stale(flow, doors.get((flow.protocol, flow.destination, flow.port)))]


def _stale(flow: Flow, endpoints: frozenset[Endpoint] | None) -> bool:
    if endpoints is None or Endpoint(flow.server, flow.server_port) in endpoints:
        return False
    return flow.translated or bool(endpoints)


def _doors(services: Iterable[ServicePort], local: tuple[IPv4Address, ...]) -> Doors:
    doors: Doors = {}
    for service in services:
        protocol = service.protocol.lower()
        if protocol in (TCP, UDP):
            endpoints = frozenset(service.endpoints)
            doors[protocol, service.cluster_ip, service.port] = endpoints
            if service.node_port:
                doors.update({(protocol, address, service.node_port): endpoints for address in local})
    return doors
