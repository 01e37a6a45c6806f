"""What the zone of a cluster is made of: services and their endpoints as plain values.

Pure data. The agent sends them (feed.py), zone.py answers from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from netstack.dns.names import name_of

ServiceKey = tuple[str, str]
"""Namespace and name of a service."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port with a name; the protocol is `tcp`, `udp` or `sctp`."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ready endpoint. Without a host name, its name in DNS is made of its address."""

    address: IPv4Address
    hostname: str = ""
    ports: tuple[Port, ...] = ()

    def __post_init__(self) -> None:
        if self.hostname:
            _check_label(self.hostname)

    @property
    def label(self) -> str:
        return self.hostname or str(self.address).replace(".", "-")


@dataclass(frozen=True, slots=True)
class Service:
    """A service. Without a cluster IP it is headless, unless it has an external name. Raises ValueError for a name that
    DNS cannot have.

    `endpoints` is empty for a service with a cluster IP whose endpoints have no host names: DNS needs only those.
    """

    namespace: str
    name: str
    cluster_ip: IPv4Address | None = None
    external_name: str = ""
    ports: tuple[Port, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    def __post_init__(self) -> None:
        _check_label(self.namespace)
        _check_label(self.name)
        name_of(self.external_name)

    @property
    def key(self) -> ServiceKey:
        return self.namespace, self.name

    @property
    def headless(self) -> bool:
        return self.cluster_ip is None and not self.external_name


@dataclass(frozen=True, slots=True)
class Settings:
    """The cluster's domain (`cluster.local`), the address of its DNS, the addresses that belong to the cluster, and the
    resolvers for all other names."""

    domain: str
    address: IPv4Address
    networks: tuple[IPv4Network, ...] = ()
    upstreams: tuple[str, ...] = ()


def _check_label(text: str) -> None:
    """Raises ValueError unless the text is one label."""
    if len(name_of(text)) != 1:
        raise ValueError(f"{text[:80]!r} is not one label of a domain name")
