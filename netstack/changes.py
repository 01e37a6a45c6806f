"""Changes to one network namespace, as values.

`Network.change` applies a sequence of them in order. A `Set…` makes or replaces; a `Delete…` of what is not there is
done already; an `Add…` of what is there fails with AlreadyThere. A peer is created in its target namespace, never
moved there: moving a link takes 19 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from netstack.namespaces import Where
from netstack.state import Address, Forwarding, Neighbour, Route


@dataclass(frozen=True, slots=True)
class AddVeth:
    """A pair: `name` here, `peer` in `peer_namespace` (None: here too). A MAC that is empty is the kernel's choice.

    `up` is about this end: the kernel refuses to make the peer up (ENOTCONN), SetLink does it in its namespace.
    """

    name: str
    peer: str
    peer_namespace: Where = None
    mtu: int = 1500
    mac: str = ""
    peer_mac: str = ""
    up: bool = True


@dataclass(frozen=True, slots=True)
class AddBridge:
    """A bridge without spanning tree."""

    name: str
    mtu: int = 1500
    up: bool = True


@dataclass(frozen=True, slots=True)
class AddVxlan:
    """A VXLAN device without learning; forwarding entries say where each MAC lives."""

    name: str
    vni: int
    local: IPv4Address
    port: int
    mac: str
    mtu: int
    up: bool = True


@dataclass(frozen=True, slots=True)
class DeleteLink:
    """Remove a link, with its peer and everything on both."""

    name: str


@dataclass(frozen=True, slots=True)
class SetLink:
    """Change what is given of an existing link. `master` empty: out of its bridge; None: left as it is."""

    name: str
    up: bool | None = None
    mtu: int | None = None
    mac: str | None = None
    master: str | None = None


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Give a link an address."""

    address: Address


@dataclass(frozen=True, slots=True)
class DeleteAddress:
    """Take an address from a link."""

    address: Address


@dataclass(frozen=True, slots=True)
class SetRoute:
    """Make the route, or replace the one to the same destination."""

    route: Route


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    """Remove the route."""

    route: Route


@dataclass(frozen=True, slots=True)
class SetNeighbour:
    """Make or replace the link's entry for the address."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class DeleteNeighbour:
    """Remove the entry."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class SetForwarding:
    """Make or replace the device's entry for the MAC."""

    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class DeleteForwarding:
    """Remove the entry."""

    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class SetRateLimit:
    """A token bucket on what leaves the link. Rate in bytes a second; burst and queue in bytes."""

    link: str
    rate_bytes: int
    burst_bytes: int
    queue_bytes: int


@dataclass(frozen=True, slots=True)
class DeleteRateLimit:
    """Remove the link's token bucket."""

    link: str


Change = (
    AddVeth
    | AddBridge
    | AddVxlan
    | DeleteLink
    | SetLink
    | SetAddress
    | DeleteAddress
    | SetRoute
    | DeleteRoute
    | SetNeighbour
    | DeleteNeighbour
    | SetForwarding
    | DeleteForwarding
    | SetRateLimit
    | DeleteRateLimit
)

DEFAULT: IPv4Network = IPv4Network("0.0.0.0/0")
