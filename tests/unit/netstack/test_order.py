"""The order in which the parts of a node's network are written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from netstack import changes as c
from netstack.desired import Endpoint, NetworkState, Peer, ServicePort
from netstack.fake import FakeKernel
from netstack.fakerules import FakeIptables
from netstack.node import NodeNetwork
from netstack.state import Address
from tests.unit.netstack.contract import NODE_ADDRESS, settings

PEER = Peer("node2", IPv4Address("192.0.2.2"), IPv4Network("10.244.2.0/24"))
WEB = ServicePort("default/web:", "TCP", IPv4Address("10.96.0.2"), 80, 0, (Endpoint(IPv4Address("10.244.2.2"), 80),))


class WatchedIptables(FakeIptables):
    """Records the destinations of the host's routes each time that rules are written."""

    def __init__(self, kernel: FakeKernel) -> None:
        super().__init__()
        self._kernel = kernel
        self.routes: list[set[IPv4Network]] = []

    def restore(self, text: str) -> None:
        self.routes.append({route.destination for route in self._kernel.host.routes()})
        super().restore(text)


def test_the_route_to_cluster_ips_comes_after_the_rules_and_routes_to_pods_before(tmp_path: Path) -> None:
    kernel = FakeKernel()
    kernel.host.change([c.AddVeth("eth0", "cable"), c.SetAddress(Address("eth0", IPv4Interface(NODE_ADDRESS)))])
    kernel.rules = watched = WatchedIptables(kernel)
    node_settings = settings(tmp_path)
    NodeNetwork(node_settings, kernel).apply(NetworkState((PEER,), (WEB,)))
    assert watched.routes, "no rules were written"
    assert all(node_settings.service_cidr not in routes for routes in watched.routes)
    assert all(PEER.pod_cidr in routes for routes in watched.routes)
    assert node_settings.service_cidr in {route.destination for route in kernel.host.routes()}
