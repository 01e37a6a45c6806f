"""The changes for a topology: names, order, routes, rules. No namespace is made."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from netrig.errors import BadTopology
from netrig.topology import Topology, plan, rules
from netrig.topology.model import End, Kind, Link, NodeSpec, Quality, RouteSpec, interface_name, port_name
from netstack.bulk import Batch, BulkChange, SettleLink
from netstack.changes import AddBridge, AddVeth, DeleteRateLimit, SetAddress, SetLink, SetRateLimit, SetRoute
from netstack.state import Address, Route

HOST = NodeSpec("a", Kind.HOST, "w-a")
ROUTER = NodeSpec("r", Kind.ROUTER, "w-r")
SWITCH = NodeSpec("s", Kind.SWITCH, "w-s")
NODES = {node.name: node for node in (HOST, ROUTER, SWITCH)}
CABLE = Link(0, (End("a", "eth0", IPv4Interface("10.0.0.1/24")), End("s", "a")), Quality(mtu=1400))
DIRECT = Link(1, (End("a", "eth1", IPv4Interface("10.1.0.1/24")), End("r", "eth0", IPv4Interface("10.1.0.2/24"))))


def declared(*links: Link, routes: tuple[RouteSpec, ...] = ()) -> plan.Declared:
    return plan.Declared(NODES, links, list(NODES.values()), links, routes)


def first_batches(declaration: plan.Declared) -> dict[str, tuple[BulkChange, ...]]:
    """The changes of each namespace, without the last batches, which settle the links."""
    return {batch.where: batch.changes for batch in plan.batches(declaration)[: len(NODES)]}


def test_a_switch_makes_its_cables_with_the_peers_in_their_namespaces() -> None:
    switch, host, _, *settling = plan.batches(declared(CABLE))
    assert (switch.where, host.where) == ("w-s", "w-a")
    assert switch.changes == (
        AddBridge("br0"),
        AddVeth("a", "eth0", "w-a", 1400, up=False),
        SetLink("a", up=True, master="br0"),
    )
    assert host.changes == (
        SetLink("eth0", up=True),
        SetAddress(Address("eth0", IPv4Interface("10.0.0.1/24"))),
        SettleLink("eth0"),
    )
    assert settling == [Batch("w-s", (SettleLink("a"),))]


def test_the_first_of_two_hosts_makes_the_cable() -> None:
    batches = first_batches(declared(DIRECT))
    assert AddVeth("eth1", "eth0", "w-r", up=False) in batches["w-a"]
    assert not any(isinstance(change, AddVeth) for change in batches["w-r"])


def test_only_routers_forward() -> None:
    forward = {batch.where: batch.sysctls.get("net/ipv4/ip_forward") for batch in plan.batches(declared())}
    assert forward == {"w-a": "0", "w-r": "1", "w-s": None}


def test_a_route_uses_the_link_to_its_gateway() -> None:
    route = RouteSpec("a", IPv4Network("10.2.0.0/16"), IPv4Address("10.1.0.2"))
    batches = first_batches(declared(CABLE, DIRECT, routes=(route,)))
    assert batches["w-a"][-1] == SetRoute(Route(IPv4Network("10.2.0.0/16"), "eth1", IPv4Address("10.1.0.2")))


def test_an_unreachable_gateway_is_refused() -> None:
    route = RouteSpec("a", IPv4Network("0.0.0.0/0"), IPv4Address("10.9.0.1"))
    with pytest.raises(BadTopology, match=r"a has no link to the gateway 10\.9\.0\.1"):
        plan.batches(declared(CABLE, routes=(route,)))


def test_a_cut_prefers_the_end_of_a_switch_and_avoids_a_router() -> None:
    assert plan.pulled_end(CABLE, NODES).node == "s"
    assert plan.pulled_end(DIRECT, NODES).node == "a"


def test_the_buffers_of_a_slow_link_have_room_for_some_frames() -> None:
    slow = Link(0, CABLE.ends, Quality(rate_mbit=0.1))
    assert plan.rate_limit("eth0", slow) == SetRateLimit("eth0", 12_500, 3028, 15_140)
    assert plan.rate_limit("eth0", CABLE) == DeleteRateLimit("eth0")


def test_packets_are_dropped_at_the_receiving_end_and_all_of_them_by_a_one_way_cut() -> None:
    lossy = Link(0, CABLE.ends, Quality(loss=0.2))
    assert rules.lossy("a", Kind.HOST, [lossy]) == (
        "-A LAB-LINKS -i eth0 -m statistic --mode random --probability 0.200000 -j DROP",
    )
    deaf = Link(0, CABLE.ends, Quality(loss=0.2), deaf=frozenset({"s"}))
    assert rules.lossy("s", Kind.SWITCH, [deaf]) == ("-A LAB-LINKS -m physdev --physdev-in a -j DROP",)


@pytest.mark.parametrize(
    ("peer", "taken", "name"),
    [
        ("node1", frozenset[str](), "node1"),
        ("node1", frozenset({"node1"}), "port0"),
        ("a-name-of-a-node-too-long", frozenset({"port0"}), "port1"),
        ("lo", frozenset[str](), "port0"),
    ],
)
def test_ports_are_named_after_their_peers(peer: str, taken: frozenset[str], name: str) -> None:
    assert port_name(peer, taken) == name


def test_interfaces_are_numbered() -> None:
    assert interface_name(frozenset({"eth0", "eth1"})) == "eth2"


@pytest.mark.parametrize("values", [{"mtu": 10}, {"loss": 1.5}, {"rate_mbit": 0.0}, {"delay_ms": -1.0}])
def test_invalid_qualities_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(BadTopology):
        Quality(**values)  # type: ignore[arg-type]


def test_invalid_declarations_are_refused() -> None:
    net = Topology()
    a, s = net.host("a"), net.switch("s")
    with pytest.raises(BadTopology, match="a node a exists already"):
        net.host("a")
    with pytest.raises(BadTopology, match="is not a valid name for a node"):
        net.host("A b")
    with pytest.raises(BadTopology, match="cannot be linked to itself"):
        net.link(a, a)
    with pytest.raises(BadTopology, match="s is a switch"):
        net.link(a, s, peer_address="10.0.0.1/24")
    with pytest.raises(BadTopology, match="belongs to another topology"):
        net.link(a, Topology().host("a"))
    with pytest.raises(BadTopology, match="is not started"):
        net.cut(net.link(a, s))
