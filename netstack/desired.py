"""The desired network of a node, as values: its settings, its peers and its services.

Addresses are `ipaddress` values; the caller parses text. Nothing here touches the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

# Names go into rule comments, so they must not end a quoted word or a line of iptables-restore.
LONGEST_NAME: Final = 250
"""The kernel has 255 characters for a comment."""
_SAFE_NAME: Final = re.compile(f"[A-Za-z0-9./:_-]{{1,{LONGEST_NAME}}}")
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Settings of one node.

    `owner` is 1-7 lower-case letters. The name of the VTEP starts with it, and in capitals the names of our chains.
    """

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
    """Another node: the address that its VTEP sends from, and the CIDR of its pods."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One backend of a service."""

    address: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a service.

    `name` is `namespace/service:port`, the protocol is tcp, udp or sctp, and node_port 0 means that there is none.
    """

    name: str
    protocol: str
    cluster_ip: IPv4Address
    port: int
    node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()

    def __post_init__(self) -> None:
        if not _SAFE_NAME.fullmatch(self.name):
            raise ValueError(f"service name {self.name!r} cannot be used in a rule comment")
        if self.protocol.lower() not in _PROTOCOLS:
            raise ValueError(f"service {self.name}: protocol {self.protocol!r} is not tcp, udp or sctp")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads to a port of a pod.

    `name` is `namespace/pod`, or the beginning of that; the protocol is tcp, udp or sctp. `address` is the only address
    of the node that has the port; None: all have it. An address of the loopback has no rules: netstack leaves it to its
    caller.
    """

    name: str
    protocol: str
    port: int
    pod_port: int
    address: IPv4Address | None = None

    def __post_init__(self) -> None:
        if not _SAFE_NAME.fullmatch(self.name):
            raise ValueError(f"pod name {self.name!r} cannot be used in a rule comment")
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"pod {self.name}: protocol {self.protocol!r} is not tcp, udp or sctp")


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A host port of a pod that has an address."""

    host: HostPort
    pod: IPv4Address

    @property
    def endpoint(self) -> Endpoint:
        """Where the port leads to."""
        return Endpoint(self.pod, self.host.pod_port)


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All peers and services of a node. `peers` does not contain the node itself.

    `dns` is the address at which the node itself answers DNS, to its pods and itself only; None: it does not.
    """

    peers: tuple[Peer, ...] = ()
    services: tuple[ServicePort, ...] = ()
    dns: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair that an audit made: the kind of thing (`what`), and which one it was and what was wrong (`detail`)."""

    what: str
    detail: str
