"""The state of one network namespace, as values: links, addresses, routes, neighbours, forwarding entries.

The values are read-only; changes.py has the changes. Each refers to its link by name and never by index, so that
snapshots of two namespaces, or of a device before and after it was created again, can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

# Marks routes as ours in `ip route` and in dumps; an unassigned number of /etc/iproute2/rt_protos.
ROUTE_PROTOCOL: Final = 83

SCOPE_GLOBAL: Final = 0
SCOPE_LINK: Final = 253
PERMANENT: Final = 0x80


@dataclass(frozen=True, slots=True)
class Vxlan:
    """The attributes of a VXLAN device that netstack sets."""

    vni: int
    local: IPv4Address | None
    port: int
    learning: bool


@dataclass(frozen=True, slots=True)
class Link:
    """One network device. `master` is the name of its bridge, or empty."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    master: str = ""
    vxlan: Vxlan | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address on a link."""

    link: str
    interface: IPv4Interface


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the main table. `onlink`: the kernel assumes that the link reaches the gateway."""

    destination: IPv4Network
    link: str
    gateway: IPv4Address | None = None
    source: IPv4Address | None = None
    scope: int = SCOPE_GLOBAL
    onlink: bool = False
    protocol: int = ROUTE_PROTOCOL


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour entry. netstack writes permanent ones only."""

    link: str
    address: IPv4Address
    mac: str
    permanent: bool = True


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A forwarding entry of a VXLAN device: frames to this MAC go to the host `destination`."""

    link: str
    mac: str
    destination: IPv4Address


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything in one namespace at about the same moment. `routes` has only those with our protocol number."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwardings: tuple[Forwarding, ...] = ()
    routes: tuple[Route, ...] = ()

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)
