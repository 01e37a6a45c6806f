"""A VXLAN overlay of three hosts, without multicast: each host floods to a list of the others (RFC 7348).

a (172.16.0.1) --- [switch] --- b (172.16.0.2)        overlay: 10.50.0.1, .2, .3 on the links vxlan0
                      |
                c (172.16.0.3)
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netrig.plugin.fixtures import MakeCapture, MakeProber, MakeResponder
from netrig.probe import Outcome, ask, icmp, tcp, udp
from netrig.topology import Link, Node, Topology

VNI = "42"
PORT = "4789"
UNDERLAY_MTU = 1400
HEADERS = 50  # outer Ethernet, IPv4, UDP and VXLAN
UNKNOWN_DESTINATION = "00:00:00:00:00:00"


@dataclass(frozen=True)
class Overlay:
    net: Topology
    hosts: tuple[Node, ...]
    cables: tuple[Link, ...]


def add_vxlan(host: Node, number: int, others: list[int]) -> None:
    local = ["local", f"172.16.0.{number}", "dev", "eth0"]
    host.run(["ip", "link", "add", "vxlan0", "type", "vxlan", "id", VNI, "dstport", PORT, *local])
    host.run(["ip", "link", "set", "vxlan0", "mtu", str(UNDERLAY_MTU - HEADERS), "up"])
    host.run(["ip", "address", "add", f"10.50.0.{number}/24", "dev", "vxlan0"])
    for other in others:
        host.run(["bridge", "fdb", "append", UNKNOWN_DESTINATION, "dev", "vxlan0", "dst", f"172.16.0.{other}"])


@pytest.fixture
def overlay(topology: Topology) -> Overlay:
    switch = topology.switch("underlay")
    hosts = tuple(topology.host(name) for name in "abc")
    cables = tuple(
        topology.link(host, switch, address=f"172.16.0.{number}/24", mtu=UNDERLAY_MTU)
        for number, host in enumerate(hosts, 1)
    )
    topology.start()
    for number, host in enumerate(hosts, 1):
        add_vxlan(host, number, [other for other in (1, 2, 3) if other != number])
    return Overlay(topology, hosts, cables)


def test_all_hosts_reach_each_other(overlay: Overlay, probe: MakeProber) -> None:
    for host in overlay.hosts:
        probe(host).expect(Outcome.REPLY, *[icmp(f"10.50.0.{number}") for number in (1, 2, 3)])


def test_the_other_side_sees_the_overlay_address(overlay: Overlay, probe: MakeProber, responder: MakeResponder) -> None:
    a, _, c = overlay.hosts
    responder(c, 80)
    answer = probe(a).one(ask("10.50.0.3", 80))
    assert (answer.server, answer.seen) == ("c", "10.50.0.1")


def test_closed_ports_refuse(overlay: Overlay, probe: MakeProber) -> None:
    probe(overlay.hosts[0]).expect(Outcome.REFUSED, tcp("10.50.0.2", 81), udp("10.50.0.2", 81))


def test_packets_are_encapsulated_on_the_wire(overlay: Overlay, probe: MakeProber, capture: MakeCapture) -> None:
    a, b, _ = overlay.hosts
    outside, inside = capture(b, "eth0"), capture(b, "vxlan0")
    probe(a).expect(Outcome.REPLY, icmp("10.50.0.2"))
    encapsulated = {(flow.source.split(":")[0], flow.destination) for flow in outside.summary().flows}
    assert ("172.16.0.1", f"172.16.0.2:{PORT}") in encapsulated
    assert ("10.50.0.1", "10.50.0.2") in {(flow.source, flow.destination) for flow in inside.summary().flows}
    assert "icmp" not in {flow.protocol for flow in outside.summary().flows}


def test_no_outer_packet_is_fragmented(overlay: Overlay, probe: MakeProber, capture: MakeCapture) -> None:
    a, b, _ = overlay.hosts
    captured = capture(b, "eth0")
    ip_and_icmp = 28
    probe(a).expect(Outcome.REPLY, icmp("10.50.0.2", payload=bytes(UNDERLAY_MTU - HEADERS - ip_and_icmp)))
    probe(a).expect(Outcome.REPLY, icmp("10.50.0.2", payload=bytes(2000)))
    assert all(flow.note != "fragment" for flow in captured.summary().flows)


def test_a_host_is_unreachable_while_it_is_cut_off(overlay: Overlay, probe: MakeProber) -> None:
    a, b, c = overlay.hosts
    overlay.net.cut(overlay.cables[2])
    probe(a).expect(Outcome.SILENCE, icmp("10.50.0.3", timeout_s=0.2))
    probe(a).expect(Outcome.REPLY, icmp("10.50.0.2"))
    overlay.net.heal(overlay.cables[2])
    probe(b).eventually(Outcome.REPLY, icmp("10.50.0.3"), within_s=3.0)
    probe(c).expect(Outcome.REPLY, icmp("10.50.0.2"))
