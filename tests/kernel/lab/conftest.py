"""Two hosts and a router between them, and a check that no topology of this process is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.probe import Prober, Responder
from lab.topology import Link, Node, Topology, naming
from netstack import namespaces


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
def routed() -> Iterator[Routed]:
    with Topology() as net:
        a, b = net.host("a", gateway="10.0.0.254"), net.host("b", gateway="10.1.0.254")
        switch, router = net.switch("s"), net.router("r")
        left = net.link(a, switch, address="10.0.0.1/24")
        net.link(switch, router, peer_address="10.0.0.254/24")
        right = net.link(b, router, address="10.1.0.1/24", peer_address="10.1.0.254/24")
        net.start()
        with Responder(b.where, name="bee", port=80):
            yield Routed(net, a, b, router, left, right, Prober(a.where, name="a"))


@pytest.fixture(autouse=True)
def no_topology_left() -> Iterator[None]:
    yield
    owners = {name: naming.owner_of(name) for name in namespaces.names()}
    assert [name for name, owner in owners.items() if owner is not None and owner.pid == os.getpid()] == []
