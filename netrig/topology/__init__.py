"""Hosts, switches and routers as network namespaces, joined by links, for tests with real packets.

    with Topology() as net:
        a, b, s = net.host("a"), net.host("b"), net.switch("s")
        net.link(a, s, address="10.0.0.1/24", mtu=1400)
        net.link(b, s, address="10.0.0.2/24")
        net.start()
        a.run(["ip", "route"])

Needs root; no Docker, no cluster. What is declared is a value (model.py), what must be done for it is pure (plan.py,
rules.py), and netstack does it.
"""

from netrig.topology.model import Kind, Link
from netrig.topology.naming import leftovers, sweep
from netrig.topology.node import Node
from netrig.topology.topology import Topology

__all__ = ["Kind", "Link", "Node", "Topology", "leftovers", "sweep"]
