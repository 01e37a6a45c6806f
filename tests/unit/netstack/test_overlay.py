"""The overlay as data: the desired state of VXLAN, and the order in which a difference is written."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from netstack import changes as c
from netstack.desired import Peer
from netstack.overlay.plan import plan
from netstack.overlay.vxlan import VxlanBackend, mac_of
from netstack.state import SCOPE_LINK, Address, Forwarding, Link, Neighbour, Route, Snapshot, Vxlan
from tests.unit.netstack.contract import settings

SETTINGS = settings(Path("/nonexistent"))
PEER = Peer("b", IPv4Address("172.30.0.12"), IPv4Network("10.244.2.0/24"))
OTHER = Peer("c", IPv4Address("172.30.0.13"), IPv4Network("10.244.3.0/24"))
NAME = "sampan.vxlan"
DESIRED = VxlanBackend(SETTINGS).desired([OTHER, PEER], 1500)


def in_place(peers: list[Peer]) -> Snapshot:
    """The kernel's state after these peers were written."""
    state = VxlanBackend(SETTINGS).desired(peers, 1500)
    device = state.device
    vxlan = Vxlan(device.vni, device.local, device.port, learning=False)
    link = Link(7, NAME, "vxlan", device.mac, device.mtu, up=True, vxlan=vxlan)
    return Snapshot((link,), state.addresses, state.neighbours, state.forwardings, state.routes)


def test_macs_are_computed_from_the_pod_cidr() -> None:
    assert mac_of(PEER.pod_cidr) == "0a:58:0a:f4:02:00"
    assert mac_of(IPv4Interface("169.254.1.1/32")) == "0a:58:a9:fe:01:01"


def test_the_desired_state_of_vxlan() -> None:
    own, via = IPv4Address("10.244.1.0"), IPv4Address("10.244.2.0")
    assert DESIRED.device == c.AddVxlan(NAME, 1, IPv4Address("172.30.0.11"), 4789, "0a:58:0a:f4:01:00", 1450)
    assert DESIRED.addresses == (Address(NAME, IPv4Interface("10.244.1.0/32")),)
    assert DESIRED.neighbours[0] == Neighbour(NAME, via, "0a:58:0a:f4:02:00")
    assert DESIRED.forwardings[0] == Forwarding(NAME, "0a:58:0a:f4:02:00", PEER.address)
    assert DESIRED.routes[:2] == (
        Route(IPv4Network("10.96.0.0/16"), NAME, source=own, scope=SCOPE_LINK),
        Route(PEER.pod_cidr, NAME, gateway=via, source=own, onlink=True),
    )


def test_a_node_is_not_its_own_peer() -> None:
    own = Peer("a", SETTINGS.node_address, SETTINGS.pod_cidr)
    assert VxlanBackend(SETTINGS).desired([own], 1500).neighbours == ()


def test_nothing_changes_when_everything_exists() -> None:
    assert plan(DESIRED, in_place([PEER, OTHER])) == []


def test_a_route_is_added_last_and_deleted_first() -> None:
    joined = plan(DESIRED, in_place([OTHER]))
    assert [type(step) for step in joined] == [c.SetNeighbour, c.SetForwarding, c.SetRoute]
    left = plan(VxlanBackend(SETTINGS).desired([OTHER], 1500), in_place([PEER, OTHER]))
    assert [type(step) for step in left] == [c.DeleteRoute, c.DeleteForwarding, c.DeleteNeighbour]


def test_a_foreign_device_is_replaced_and_everything_written_again() -> None:
    existing = in_place([PEER, OTHER])
    foreign = replace(existing, links=(replace(existing.links[0], mac="02:00:00:00:00:01"),))
    steps = plan(DESIRED, foreign)
    assert steps[:2] == [c.DeleteLink(NAME), DESIRED.device]
    assert len(steps) == 2 + 1 + 2 + 2 + 3


def test_a_peer_with_a_new_address_changes_only_its_forwarding_entry() -> None:
    moved = replace(PEER, address=IPv4Address("172.30.0.99"))
    steps = plan(VxlanBackend(SETTINGS).desired([moved, OTHER], 1500), in_place([PEER, OTHER]))
    assert steps == [c.SetForwarding(Forwarding(NAME, mac_of(PEER.pod_cidr), moved.address))]


def test_the_address_of_dns_comes_and_goes_alone() -> None:
    dns = IPv4Address("10.96.0.53")
    entry = Address(NAME, IPv4Interface((dns, 32)))
    wanted = VxlanBackend(SETTINGS).desired([OTHER, PEER], 1500, dns)
    observed = in_place([PEER, OTHER])
    assert plan(wanted, observed) == [c.SetAddress(entry)]
    with_dns = replace(observed, addresses=(*observed.addresses, entry))
    assert plan(wanted, with_dns) == []
    assert plan(DESIRED, with_dns) == [c.DeleteAddress(entry)]
