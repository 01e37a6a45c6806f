"""Names of our chains.

All start with the owner in capitals; the kernel allows at most 28 characters. Chains of a service or an endpoint end
with a hash, chains of a block of addresses or ports with the first of the block.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from netstack.desired import Endpoint, ServicePort

NET_PREFIX: Final = 26
PORTS: Final = 64
_HASH: Final = 16


@dataclass(frozen=True, slots=True)
class ChainNames:
    """The names of one owner's chains."""

    prefix: str  # including the dash

    @property
    def services(self) -> str:
        return f"{self.prefix}SERVICES"

    @property
    def cluster_ips(self) -> str:
        return f"{self.prefix}CLUSTERIPS"

    @property
    def node_ports(self) -> str:
        return f"{self.prefix}NODEPORTS"

    @property
    def host_ports(self) -> str:
        return f"{self.prefix}HOSTPORTS"

    @property
    def postrouting(self) -> str:
        return f"{self.prefix}POSTROUTING"

    @property
    def mark(self) -> str:
        return f"{self.prefix}MARK"

    @property
    def masquerade(self) -> str:
        return f"{self.prefix}MASQUERADE"

    @property
    def forward(self) -> str:
        return f"{self.prefix}FORWARD"

    @property
    def input(self) -> str:
        return f"{self.prefix}INPUT"

    @property
    def output(self) -> str:
        return f"{self.prefix}OUTPUT"

    @property
    def accept(self) -> str:
        return f"{self.prefix}PASSAGE"

    def net(self, block: IPv4Network) -> str:
        return f"{self.prefix}NET-{block.network_address}"

    def ports(self, protocol: str, first: int) -> str:
        return f"{self.prefix}NP-{protocol.upper()}-{first}"

    def service(self, service: ServicePort) -> str:
        return f"{self.prefix}SVC-{_hash(service.name, service.protocol.lower())}"

    def external(self, service: ServicePort) -> str:
        return f"{self.prefix}EXT-{_hash(service.name, service.protocol.lower())}"

    def endpoint(self, service: ServicePort, endpoint: Endpoint) -> str:
        where = f"{endpoint.address}:{endpoint.port}"
        return f"{self.prefix}SEP-{_hash(service.name, service.protocol.lower(), where)}"


def chain_names(owner: str) -> ChainNames:
    return ChainNames(owner.upper() + "-")


def block_of(address: IPv4Address) -> IPv4Network:
    """The /26 that contains the cluster IP."""
    return IPv4Network((address, NET_PREFIX), strict=False)


def _hash(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode()[:_HASH]
