"""Two hosts and a router between them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netrig.plugin.fixtures import MakeProber, MakeResponder
from netrig.probe import Prober
from netrig.topology import Link, Node, Topology


@dataclass(frozen=True)
class Routed:
    """a (10.0.0.1) - switch - router - b (10.1.0.1); b answers on port 80."""

    net: Topology
    a: Node
    b: Node
    router: Node
    left: Link
    right: Link
    prober: Prober


@pytest.fixture
def routed(topology: Topology, responder: MakeResponder, probe: MakeProber) -> Routed:
    a, b = topology.host("a", gateway="10.0.0.254"), topology.host("b", gateway="10.1.0.254")
    switch, router = topology.switch("s"), topology.router("r")
    left = topology.link(a, switch, address="10.0.0.1/24")
    topology.link(switch, router, peer_address="10.0.0.254/24")
    right = topology.link(b, router, address="10.1.0.1/24", peer_address="10.1.0.254/24")
    topology.start()
    responder(b, 80, name="bee")
    return Routed(topology, a, b, router, left, right, probe(a))
