"""VXLAN: one VTEP for each node, and for each peer a neighbour entry, a forwarding entry and a route.

There is no learning and no flooding: every MAC is computed from the peer's pod CIDR, so nodes never ask each other. The
VTEP's address is the first of the pod CIDR as a /32. The node uses it as the source of its own packets to pods and
cluster IPs, so that replies return through the overlay without masquerading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from netstack.changes import AddVxlan
from netstack.desired import NodeSettings, Peer
from netstack.overlay.backend import OverlayState
from netstack.state import SCOPE_LINK, Address, Forwarding, Neighbour, Route

VNI: Final = 1
PORT: Final = 4789  # assigned by IANA; the default of Linux, 8472, is older than the assignment
OVERHEAD: Final = 50  # outer Ethernet, IPv4, UDP and VXLAN headers


def mac_of(address: IPv4Network | IPv4Interface) -> str:
    """0a:58 and the octets of the network's first address: locally administered, and the same for every node that
    computes it.
    """
    packed = address.network_address.packed if isinstance(address, IPv4Network) else address.ip.packed
    return (b"\x0a\x58" + packed).hex(":")


@dataclass(frozen=True, slots=True)
class VxlanBackend:
    """The backend for nodes that reach each other by IP, whatever network is between them."""

    settings: NodeSettings

    @property
    def device_name(self) -> str:
        return f"{self.settings.owner}.vxlan"

    def pod_mtu(self, underlay_mtu: int) -> int:
        return underlay_mtu - OVERHEAD

    def desired(self, peers: Sequence[Peer], underlay_mtu: int, dns: IPv4Address | None = None) -> OverlayState:
        settings, name = self.settings, self.device_name
        own = IPv4Interface((settings.pod_cidr.network_address, 32))
        others = sorted((peer for peer in peers if peer.pod_cidr != settings.pod_cidr), key=lambda peer: peer.pod_cidr)
        device = AddVxlan(
            name=name,
            vni=VNI,
            local=settings.node_address,
            port=PORT,
            mac=mac_of(settings.pod_cidr),
            mtu=self.pod_mtu(underlay_mtu),
        )
        # A node without a default route needs this route to cluster IPs, or its packets never reach the NAT rules.
        services = Route(settings.service_cidr, name, source=own.ip, scope=SCOPE_LINK)
        return OverlayState(
            device=device,
            addresses=(Address(name, own), *((Address(name, IPv4Interface((dns, 32))),) if dns else ())),
            neighbours=tuple(Neighbour(name, peer.pod_cidr.network_address, mac_of(peer.pod_cidr)) for peer in others),
            forwardings=tuple(Forwarding(name, mac_of(peer.pod_cidr), peer.address) for peer in others),
            routes=(services, *(_route(name, peer, own) for peer in others)),
        )


def _route(name: str, peer: Peer, own: IPv4Interface) -> Route:
    return Route(peer.pod_cidr, name, gateway=peer.pod_cidr.network_address, source=own.ip, onlink=True)
