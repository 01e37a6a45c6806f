"""The parts of a topology as immutable values: nodes, links and their ends, routes. No input or output.

When a link changes (its MTU, a cut), the topology replaces it in its table.
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
    """What a node does with the packets of others: a host drops them, a switch forwards frames, a router packets."""

    HOST = "host"
    SWITCH = "switch"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A declared node. `where`: the name of its namespace."""

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
    """The properties of a link in both directions. A rate of None means unlimited; `loss` is between 0 and 1."""

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
    """A cable. `ends`: in the order in which the nodes were given; `number`: unique in the topology."""

    number: int
    ends: tuple[End, End]
    quality: Quality = Quality()
    unplugged: bool = False
    deaf: frozenset[str] = frozenset()
    """The nodes whose end receives no packets: a cut in one direction."""

    def __str__(self) -> str:
        return f"{self.ends[0]} - {self.ends[1]}"

    def end_of(self, node: str) -> End:
        """The end at this node. Raises BadTopology if the link does not end there."""
        for end in self.ends:
            if end.node == node:
                return end
        raise BadTopology(f"the link {self} does not end at {node}")


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A declared route."""

    node: str
    destination: IPv4Network
    gateway: IPv4Address


def check_name(name: str) -> str:
    """The name, if it is a valid one for a node. Raises BadTopology."""
    if not _NODE_NAME.fullmatch(name):
        raise BadTopology(f"{name!r} is not a valid name for a node: use up to 32 lower-case letters, digits, hyphens")
    return name


def port_name(peer: str, taken: frozenset[str]) -> str:
    """The name of a switch's port: the name of its peer, or portN if that is too long or taken."""
    if len(peer) <= _LONGEST_PORT and peer not in taken | {"lo", BRIDGE}:
        return peer
    return next(name for number in range(len(taken) + 1) if (name := f"port{number}") not in taken)


def interface_name(taken: frozenset[str]) -> str:
    """The first free name of eth0, eth1, …"""
    return next(name for number in range(len(taken) + 1) if (name := f"eth{number}") not in taken)
