"""What a topology consists of, as values: nodes' kinds, the ends of links, links, routes.

Immutable; a link that is changed (its MTU, a cut) is replaced in the topology's own table. No input or output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from netrig.errors import BadTopology

BRIDGE: Final = "br0"
_NODE_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_LONGEST_PORT: Final = 15  # IFNAMSIZ without the final zero
_LEAST_MTU: Final = 68  # RFC 791


class Kind(StrEnum):
    """What a node does with packets that are not its own: nothing, forward frames, forward packets."""

    HOST = "host"
    SWITCH = "switch"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A declared node and the namespace that stands for it."""

    name: str
    kind: Kind
    where: str


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: an interface of a node. A switch's end has no address."""

    node: str
    interface: str
    address: IPv4Interface | None = None

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True, slots=True)
class Quality:
    """What a link does to packets, the same in both directions. None and 0: nothing. `loss` is between 0 and 1."""

    mtu: int = 1500
    rate_mbit: float | None = None
    loss: float = 0.0
    delay_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.mtu < _LEAST_MTU:
            raise BadTopology(f"MTU {self.mtu} is below {_LEAST_MTU}")
        if not 0.0 <= self.loss <= 1.0:
            raise BadTopology(f"loss {self.loss} is not between 0 and 1")
        if self.rate_mbit is not None and self.rate_mbit <= 0:
            raise BadTopology(f"rate {self.rate_mbit} Mbit/s is not above 0")
        if self.delay_ms < 0:
            raise BadTopology(f"delay {self.delay_ms} ms is negative")


@dataclass(frozen=True, slots=True)
class Link:
    """A cable. `ends` are in the order in which the nodes were given; `number` tells it from all others."""

    number: int
    ends: tuple[End, End]
    quality: Quality = Quality()
    unplugged: bool = False
    deaf: frozenset[str] = frozenset()
    """Nodes whose end receives nothing: a cut in one direction."""

    def __str__(self) -> str:
        return f"{self.ends[0]} - {self.ends[1]}"

    def end_of(self, node: str) -> End:
        """Raises BadTopology when the node is not at this link."""
        for end in self.ends:
            if end.node == node:
                return end
        raise BadTopology(f"{node} is not at the link {self}")


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route that was asked for."""

    node: str
    destination: IPv4Network
    gateway: IPv4Address


def check_name(name: str) -> str:
    if not _NODE_NAME.fullmatch(name):
        raise BadTopology(f"{name!r} is no name for a node: small letters, digits and hyphens, at most 32")
    return name


def port_name(peer: str, taken: frozenset[str]) -> str:
    """A switch's port is called after the node behind it, as far as that is possible."""
    if len(peer) <= _LONGEST_PORT and peer not in taken | {"lo", BRIDGE}:
        return peer
    return next(name for number in range(len(taken) + 1) if (name := f"port{number}") not in taken)


def interface_name(taken: frozenset[str]) -> str:
    """eth0, eth1, …: the first that is free."""
    return next(name for number in range(len(taken) + 1) if (name := f"eth{number}") not in taken)
