"""Changes to one network namespace, as values.

`Network.change` applies a sequence of them in order. A `Set…` creates or replaces. A `Delete…` succeeds when there is
nothing to delete. An `Add…` raises AlreadyThere when the thing exists. A veth's peer is created in its target namespace
and never moved there, because moving a link takes 19 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from netstack.namespaces import Where
from netstack.state import Address, Forwarding, Neighbour, Route


@dataclass(frozen=True, slots=True)
class AddVeth:
    """A veth pair: `name` in this namespace, `peer` in `peer_namespace` (None: also in this one).

    The kernel chooses a MAC that is empty. `up` applies to this end only: the kernel refuses to create the peer up
    (ENOTCONN), so SetLink brings it up in its own namespace.
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
    """A VXLAN device without learning: forwarding entries say on which host each MAC is."""

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
    """Change the given attributes of an existing link. `master` empty: out of its bridge; None: unchanged."""

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
    """Remove an address from a link."""

    address: Address


@dataclass(frozen=True, slots=True)
class SetRoute:
    """Add the route, or replace the route to the same destination."""

    route: Route


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    """Remove the route."""

    route: Route


@dataclass(frozen=True, slots=True)
class SetNeighbour:
    """Add or replace the link's neighbour entry for the address."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class DeleteNeighbour:
    """Remove the neighbour entry."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class SetForwarding:
    """Add or replace the device's forwarding entry for the MAC."""

    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class DeleteForwarding:
    """Remove the forwarding entry."""

    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class SetRateLimit:
    """A token bucket for packets that leave the link. The rate is in bytes a second, burst and queue are in bytes."""

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
