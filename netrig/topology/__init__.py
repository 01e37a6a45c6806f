"""Hosts, switches and routers as network namespaces, connected by links, for tests with real packets.

    with Topology() as net:
        a, b, s = net.host("a"), net.host("b"), net.switch("s")
        net.link(a, s, address="10.0.0.1/24", mtu=1400)
        net.link(b, s, address="10.0.0.2/24")
        net.start()
        a.run(["ip", "route"])

Needs root, but no Docker and no cluster. Declarations are values (model.py); pure functions derive the changes
(plan.py, rules.py); netstack applies them.
"""

from netrig.topology.model import Kind, Link
from netrig.topology.naming import leftovers, sweep
from netrig.topology.node import Node
from netrig.topology.topology import Topology

__all__ = ["Kind", "Link", "Node", "Topology", "leftovers", "sweep"]
