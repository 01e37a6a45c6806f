"""What a node's network should be, as values: its settings, its peers, the services that it serves.

Addresses are `ipaddress` values; text is parsed by the caller. Nothing here touches the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

# Goes into rule comments: nothing that could end a quoted word or a line of iptables-restore.
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9./:_-]{1,250}")
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node. `owner` begins the names of our chains (upper case) and of the VTEP: 1-7 lower-case letters."""

    node_name: str
    node_address: IPv4Address
    pod_cidr: IPv4Network
    cluster_cidr: IPv4Network
    service_cidr: IPv4Network
    state_dir: Path
    owner: str = "sampan"

    def __post_init__(self) -> None:
        # 7 letters keep every chain name within the kernel's 28 characters.
        if not re.fullmatch("[a-z]{1,7}", self.owner):
            raise ValueError(f"owner {self.owner!r} must be 1-7 lower-case letters")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node: the address that its VTEP sends from, and its pods' CIDR."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where connections of a service go."""

    address: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a service: `name` is `namespace/service:port`, protocol tcp, udp or sctp, node_port 0 for none."""

    name: str
    protocol: str
    cluster_ip: IPv4Address
    port: int
    node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()

    def __post_init__(self) -> None:
        if not _SAFE_NAME.fullmatch(self.name):
            raise ValueError(f"service name {self.name!r} cannot be a rule's comment")
        if self.protocol.lower() not in _PROTOCOLS:
            raise ValueError(f"service {self.name}: protocol {self.protocol!r} is not tcp, udp or sctp")


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All of it. `peers` has no entry for this node itself."""

    peers: tuple[Peer, ...] = ()
    services: tuple[ServicePort, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that an audit mended: what kind, and what was wrong with which."""

    what: str
    detail: str
