"""Which tracked UDP flows still go where no endpoint is any more.

Pure. TCP needs none of this: a connection to a pod that is gone ends, and to one that only left its service it is to
go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from netstack.desired import Endpoint, ServicePort


@dataclass(frozen=True, slots=True)
class Flow:
    """A UDP flow: where its client sends to, and who answers. `handle` is how the kernel is told of it."""

    destination: IPv4Address
    port: int
    server: IPv4Address
    server_port: int
    handle: bytes = b""

    @property
    def translated(self) -> bool:
        return (self.destination, self.port) != (self.server, self.server_port)


Doors = dict[tuple[IPv4Address, int], frozenset[Endpoint]]


def changed_doors(before: Sequence[ServicePort], after: Sequence[ServicePort], local: Iterable[IPv4Address]) -> Doors:
    """Addresses and ports of UDP services whose endpoints are others than before, each with those that it has now.

    `local` are the node's own addresses, where node ports are.
    """
    addresses = tuple(local)
    old, new = _doors(before, addresses), _doors(after, addresses)
    return {door: new.get(door, frozenset()) for door in old.keys() | new.keys() if old.get(door) != new.get(door)}


def stale(flows: Iterable[Flow], doors: Doors) -> list[Flow]:
    """Flows to an endpoint that is none any more, and those that began before there was one."""
    return [flow for flow in flows if _stale(flow, doors.get((flow.destination, flow.port)))]


def _stale(flow: Flow, endpoints: frozenset[Endpoint] | None) -> bool:
    if endpoints is None or Endpoint(flow.server, flow.server_port) in endpoints:
        return False
    return flow.translated or bool(endpoints)


def _doors(services: Iterable[ServicePort], local: tuple[IPv4Address, ...]) -> Doors:
    doors: Doors = {}
    for service in services:
        if service.protocol.lower() == "udp":
            endpoints = frozenset(service.endpoints)
            doors[service.cluster_ip, service.port] = endpoints
            if service.node_port:
                doors.update({(address, service.node_port): endpoints for address in local})
    return doors
