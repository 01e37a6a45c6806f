"""A topology as a drawing: its declaration, and the current state of its links."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from xml.etree import ElementTree

from netrig.drawing import Shape
from netrig.topology import Topology
from netrig.topology.model import End, Kind, Link, NodeSpec, Quality, RouteSpec
from netrig.topology.picture import drawing_of

NODES = (NodeSpec("a", Kind.HOST, "x-a"), NodeSpec("s", Kind.SWITCH, "x-s"), NodeSpec("r", Kind.ROUTER, "x-r"))
CABLE = Link(0, (End("a", "eth0", IPv4Interface("10.0.0.1/24")), End("s", "a")))
ROUTES = (
    RouteSpec("a", IPv4Network("0.0.0.0/0"), IPv4Address("10.0.0.254")),
    RouteSpec("a", IPv4Network("10.9.0.0/16"), IPv4Address("10.0.0.253")),
)


def test_nodes_of_each_kind_with_their_routes() -> None:
    a, s, r = drawing_of(NODES, [CABLE], ROUTES).places
    assert (a.role, a.shape, a.lines) == ("host", Shape.BOX, ("default via 10.0.0.254", "10.9.0.0/16 via 10.0.0.253"))
    assert (s.role, s.shape) == ("switch", Shape.BAR)
    assert (r.role, r.shape, r.lines) == ("router", Shape.BOX, ())


def test_links_with_addresses_and_faults() -> None:
    (good,) = drawing_of(NODES, [CABLE], ()).cables
    assert (good.places, good.ends, good.words, good.faults) == (
        ("a", "s"),
        ("eth0 10.0.0.1/24", ""),
        ("mtu 1500",),
        (),
    )
    faulty = replace(CABLE, quality=Quality(1400, 0.8, 0.07, 50), deaf=frozenset({"a"}))
    (bad,) = drawing_of(NODES, [faulty], ()).cables
    assert (bad.words, bad.cut) == (("mtu 1400",), False)
    assert bad.faults == ("cut toward a", "loss 7 %", "rate 0.8 Mbit/s", "delay 50 ms")
    (unplugged,) = drawing_of(NODES, [replace(CABLE, unplugged=True)], ()).cables
    assert (unplugged.cut, unplugged.faults) == (True, ("cut",))


def test_a_topology_can_be_drawn_before_it_is_started() -> None:
    net = Topology()
    a, s = net.host("a", gateway="10.0.0.254"), net.switch("s")
    net.link(a, s, address="10.0.0.1/24", loss=0.5)
    words = {element.text for element in ElementTree.fromstring(net.draw()).iter("{http://www.w3.org/2000/svg}text")}
    assert {"a", "s", "eth0 10.0.0.1/24", "loss 50 %", "default via 10.0.0.254"} <= words
