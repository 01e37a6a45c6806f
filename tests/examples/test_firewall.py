"""A firewall with NAT between an inside network, a server's network and the outside.

inside (10.0.0.2) --- fw --- outside (198.51.100.2)
                      |
                web (10.1.0.2), published as 198.51.100.1:8080
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netrig.plugin.fixtures import MakeCapture, MakeProber, MakeResponder
from netrig.probe import Outcome, ask, ask_udp, icmp, tcp
from netrig.topology import Node, Topology

INSIDE, SERVERS, OUTSIDE = "eth0", "eth1", "eth2"
FILTER = (
    f"-i {INSIDE} -o {OUTSIDE} -j ACCEPT",
    f"-i {INSIDE} -o {SERVERS} -p tcp --dport 80 -j ACCEPT",
    f"-i {INSIDE} -o {SERVERS} -j REJECT --reject-with icmp-admin-prohibited",
    f"-i {OUTSIDE} -o {SERVERS} -d 10.1.0.2 -p tcp --dport 80 -m conntrack --ctstate DNAT -j ACCEPT",
    "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
)
SILENT_S = 0.2


@dataclass(frozen=True)
class Networks:
    firewall: Node
    inside: Node
    web: Node
    outside: Node


@pytest.fixture
def networks(topology: Topology, responder: MakeResponder) -> Networks:
    firewall = topology.router("fw")
    inside = topology.host("inside", gateway="10.0.0.1")
    web = topology.host("web", gateway="10.1.0.1")
    outside = topology.host("outside")
    topology.link(firewall, inside, address="10.0.0.1/24", peer_address="10.0.0.2/24")
    topology.link(firewall, web, address="10.1.0.1/24", peer_address="10.1.0.2/24")
    topology.link(firewall, outside, address="198.51.100.1/24", peer_address="198.51.100.2/24")
    topology.start()
    for rule in FILTER:
        firewall.run(["iptables", "-A", "FORWARD", *rule.split()])
    firewall.run(["iptables", "-P", "FORWARD", "DROP"])
    nat = ["iptables", "-t", "nat", "-A"]
    firewall.run([*nat, "POSTROUTING", "-s", "10.0.0.0/8", "-o", OUTSIDE, "-j", "MASQUERADE"])
    publish = ["-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to-destination", "10.1.0.2:80"]
    firewall.run([*nat, "PREROUTING", "-i", OUTSIDE, "-d", "198.51.100.1", *publish])
    responder(outside, 443)
    responder(web, 80)
    responder(web, 22)
    responder(inside, 80)
    return Networks(firewall, inside, web, outside)


def test_the_inside_reaches_the_outside_with_the_firewall_s_address(networks: Networks, probe: MakeProber) -> None:
    answers = probe(networks.inside).expect(Outcome.REPLY, ask("198.51.100.2", 443), ask_udp("198.51.100.2", 443))
    assert {(answer.server, answer.seen) for answer in answers} == {("outside", "198.51.100.1")}


def test_many_inside_clients_share_one_address(networks: Networks, probe: MakeProber) -> None:
    spread = probe(networks.inside).spread(ask("198.51.100.2", 443), 500)
    assert spread.servers == {"outside": 500}


def test_the_outside_does_not_reach_the_inside(networks: Networks, probe: MakeProber) -> None:
    networks.outside.run(["ip", "route", "add", "10.0.0.0/8", "via", "198.51.100.1"])
    targets = [("10.0.0.2", 80), ("10.1.0.2", 80), ("10.1.0.2", 22)]
    hidden = [tcp(address, port, timeout_s=SILENT_S) for address, port in targets]
    probe(networks.outside).expect(Outcome.SILENCE, *hidden, icmp("10.0.0.2", timeout_s=SILENT_S))


def test_the_published_server_sees_the_client_s_address(networks: Networks, probe: MakeProber) -> None:
    answer = probe(networks.outside).one(ask("198.51.100.1", 8080))
    assert (answer.server, answer.seen) == ("web", "198.51.100.2")


def test_ports_that_are_not_published_are_refused(networks: Networks, probe: MakeProber) -> None:
    probe(networks.outside).expect(Outcome.REFUSED, tcp("198.51.100.1", 80), tcp("198.51.100.1", 22))


def test_the_inside_reaches_only_port_80_of_the_server(networks: Networks, probe: MakeProber) -> None:
    prober = probe(networks.inside)
    assert prober.one(ask("10.1.0.2", 80)).seen == "10.0.0.2"
    (refused,) = prober.expect(Outcome.REFUSED, tcp("10.1.0.2", 22))
    assert refused.detail == "No route to host"


def test_the_server_cannot_open_connections(networks: Networks, probe: MakeProber, capture: MakeCapture) -> None:
    captured = capture(networks.outside, "eth0")
    probe(networks.web).expect(Outcome.SILENCE, tcp("198.51.100.2", 443, timeout_s=SILENT_S))
    assert [flow for flow in captured.summary().flows if flow.protocol == "tcp"] == []
