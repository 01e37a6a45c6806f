"""Hosts that are not as clean as the lab's: all traffic must still pass, and the rules of others must not change.

`check` tests the traffic: between pods, to cluster IPs from pods and hosts, and to node ports from outside, over TCP
and UDP, each with the source that the server sees. A reply from another address than the requested one does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netrig import topology
from netrig.topology import Topology
from netstack.desired import Endpoint, ServicePort
from netstack.errors import RulesUnavailable
from netstack.services import iptables
from tests.kernel.conftest import VARIANTS, MakeCluster
from tests.kernel.topology import POD_PORT, Cluster, Pod

CLUSTER_IP = IPv4Address("10.96.0.10")
NODE_PORT = 31002
OURS = "SAMPAN"

# The rules that dockerd 20.10.24 writes when it starts, and those of one published port.
DOCKER = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8088 -j DNAT --to-destination 172.17.0.2:80
COMMIT
"""

# A firewall as distributions write it: the last rule of each chain refuses all other packets.
FIREWALL = """*filter
:THEIRS - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p udp -m udp --dport 4789 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -j THEIRS
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
-A THEIRS -d 198.51.100.0/24 -j DROP
COMMIT
*nat
:THEIRS - [0:0]
-A PREROUTING -j THEIRS
-A THEIRS -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.7:22
COMMIT
"""


def check(made: Cluster) -> None:
    a, b = made.nodes["a"], made.nodes["b"]
    near, far = made.pod(a), made.pod(b)
    for source, target in ((near, far), (far, near)):
        assert made.ask(source.where, target.address, POD_PORT).seen == str(source.address)
        assert made.ask_udp(source.where, target.address, POD_PORT).seen == str(source.address)
    for target in (near, far):
        made.apply(*_services(target))
        _check_cluster_ip(made, near, far, target)
        for node in (a, b):
            for answer in (made.ask, made.ask_udp):
                result = answer(made.outside, node.address, NODE_PORT)
                # Masqueraded, so that the reply returns the same way.
                assert (result.server, result.seen) in ((target.uid, str(node.address)), (target.uid, str(node.vtep)))
    for node in (a, b):
        assert node.network.audit() == ()


def _check_cluster_ip(made: Cluster, near: Pod, far: Pod, target: Pod) -> None:
    for pod in (near, far):
        for answer in (made.ask, made.ask_udp):
            result = answer(pod.where, CLUSTER_IP, 80)
            assert result.server == target.uid
            assert (result.seen == str(pod.address)) is (pod is not target), (
                "only a pod that reaches itself is masqueraded"
            )
    for node in (made.nodes["a"], made.nodes["b"]):
        for answer in (made.ask, made.ask_udp):
            result = answer(node.where, CLUSTER_IP, 80)
            assert (result.server, result.seen) == (target.uid, str(node.vtep))


def _services(target: Pod) -> list[ServicePort]:
    endpoints = (Endpoint(target.address, POD_PORT),)
    return [
        ServicePort(f"default/web:{protocol}", protocol, CLUSTER_IP, 80, NODE_PORT, endpoints)
        for protocol in ("TCP", "UDP")
    ]


def restore(host: topology.Node, variant: str, text: str) -> None:
    host.run([f"iptables-{variant}-restore", "--noflush"], stdin=text)


def foreign(host: topology.Node, *variants: str) -> list[str]:
    """All rules and policies that are not ours, in order."""
    lines = [line for variant in variants for line in host.run([f"iptables-{variant}-save"]).stdout.splitlines()]
    return [line.split(" [")[0] for line in lines if OURS not in line and not line.startswith("#")]


@contextmanager
def foreign_rules_stay(made: Cluster, *variants: str) -> Iterator[None]:
    """Rules of others do not change: neither while netstack works, nor by its teardown."""
    before = {node.name: foreign(node.host, *variants) for node in made.nodes.values()}
    yield
    for node in made.nodes.values():
        assert foreign(node.host, *variants) == before[node.name]
        node.network.teardown()
        assert foreign(node.host, *variants) == before[node.name]
        for variant in VARIANTS:
            assert OURS not in node.host.run([f"iptables-{variant}-save"]).stdout


def test_forwarded_packets_are_dropped_by_default(new_cluster: MakeCluster, variant: str) -> None:
    def spoil(net: Topology, host: topology.Node) -> None:
        host.run([f"iptables-{variant}", "-P", "FORWARD", "DROP"])

    with new_cluster("ab", variant, spoil=spoil) as made, foreign_rules_stay(made, variant):
        check(made)


def test_reverse_path_filters_were_strict_before_our_links_existed(new_cluster: MakeCluster, variant: str) -> None:
    def spoil(net: Topology, host: topology.Node) -> None:
        for name in ("all", "default", "eth0"):
            host.run(["sysctl", "-q", "-w", f"net/ipv4/conf/{name}/rp_filter=1"])

    with new_cluster("ab", variant, spoil=spoil) as made, foreign_rules_stay(made, variant):
        check(made)
        for node in made.nodes.values():
            for name in ("all", "default", "eth0", "sampan.vxlan"):
                assert node.run("sysctl", "-n", f"net/ipv4/conf/{name}/rp_filter") == "1\n"


def test_all_nodes_have_the_same_first_interface_with_the_default_route(new_cluster: MakeCluster, variant: str) -> None:
    """Vagrant makes such machines: each has 10.0.2.15 behind its own NAT, and the nodes reach each
    other through eth1.
    """
    routers: dict[str, topology.Node] = {}

    def declare(net: Topology, host: topology.Node) -> None:
        routers[host.name] = net.host(f"nat-{host.name}")
        net.link(host, routers[host.name], address="10.0.2.15/24", peer_address="10.0.2.2/24")
        net.route(host, "default", via="10.0.2.2")

    with new_cluster("ab", variant, declare=declare) as made, foreign_rules_stay(made, variant):
        a = made.nodes["a"]
        assert "dev eth1 proto kernel scope link src 172.30.0.11" in a.run("ip", "route")
        check(made)
        near, far = made.pod(a), made.pod(made.nodes["b"])
        made.responder(routers["a"], 9000, name="world")
        for where in (near.where, a.where):
            assert made.ask(where, "10.0.2.2", 9000).seen == "10.0.2.15", "the first interface leads to other networks"
        for target in (near, far):
            made.apply(*_services(target))
            forwarded = made.ask(routers["a"].where, "10.0.2.15", NODE_PORT)
            assert forwarded.server == target.uid, "the machine's forwarded ports arrive here"


def test_docker_has_published_a_port(new_cluster: MakeCluster, variant: str) -> None:
    containers: dict[str, topology.Node] = {}

    def spoil(net: Topology, host: topology.Node) -> None:
        container = containers[host.name] = net.host(f"container-{host.name}")
        net.start()
        host.run(["ip", "link", "add", "docker0", "type", "bridge"])
        host.run(["ip", "address", "add", "172.17.0.1/16", "dev", "docker0"])
        host.run(["ip", "link", "add", "veth0", "type", "veth", "peer", "eth0", "netns", container.where])
        for name in ("docker0", "veth0"):
            host.run(["ip", "link", "set", name, "up"])
        host.run(["ip", "link", "set", "veth0", "master", "docker0"])
        for command in ("address add 172.17.0.2/16 dev eth0", "link set eth0 up", "route add default via 172.17.0.1"):
            container.run(["ip", *command.split()])
        host.run(["sysctl", "-q", "-w", "net/ipv4/ip_forward=1"])
        restore(host, variant, DOCKER)

    with new_cluster("ab", variant, spoil=spoil) as made, foreign_rules_stay(made, variant):
        for name, container in containers.items():
            made.responder(container, 80, name=f"container-{name}")
        made.responder(made.outside, 9000, name="world")
        check(made)
        for name, node in made.nodes.items():
            assert made.ask(made.outside, node.address, 8088).server == f"container-{name}"
            assert made.ask(containers[name].where, "172.30.0.100", 9000).seen == str(node.address)
            made.unreachable(made.outside, "172.17.0.2", 80)


def test_a_firewall_exists_before_our_rules(new_cluster: MakeCluster, variant: str) -> None:
    def spoil(net: Topology, host: topology.Node) -> None:
        restore(host, variant, FIREWALL)

    with new_cluster("ab", variant, spoil=spoil) as made, foreign_rules_stay(made, variant):
        check(made)
        a = made.nodes["a"]
        a.run("ip", "route", "add", "192.0.2.0/24", "via", "172.30.0.100")
        made.responder(a.where, 9000, name="hidden")
        made.unreachable(made.outside, a.address, 9000)
        assert "-A FORWARD -j THEIRS\n" in made.nodes["a"].save(), "the firewall's rule is gone"


def test_a_firewall_starts_later_and_inserts_its_rules_first(new_cluster: MakeCluster, variant: str) -> None:
    with new_cluster("ab", variant) as made:
        first = made.pod(made.nodes["a"])
        made.apply(*_services(first))
        for node in made.nodes.values():
            restore(node.host, variant, FIREWALL)
            for rule in ("FORWARD -j THEIRS", "FORWARD -s 10.244.0.0/16 -j DROP"):
                node.run(f"iptables-{variant}", "-I", *rule.split())
            dropped = "PREROUTING -d 10.96.0.0/16 -j DNAT --to-destination 192.0.2.9"
            node.run(f"iptables-{variant}", "-t", "nat", "-I", *dropped.split())
        with foreign_rules_stay(made, variant):
            for node in made.nodes.values():
                assert {repair.what for repair in node.network.audit(links=False)} == {"rules"}
                assert node.network.audit() == ()
            check(made)


@pytest.mark.parametrize("ours", VARIANTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_others_use_the_other_variant(new_cluster: MakeCluster, ours: str, when: str) -> None:
    """An accept in one variant does not undo a drop in the other."""
    (other,) = set(VARIANTS) - {ours}

    def spoil(net: Topology, host: topology.Node) -> None:
        if when == "before":
            restore(host, other, DOCKER)

    with new_cluster("ab", ours, spoil=spoil) as made:
        for node in made.nodes.values():
            if when == "after":
                restore(node.host, other, DOCKER)
        with foreign_rules_stay(made, other):
            for node in made.nodes.values():
                assert bool(node.network.audit(links=False)) is (when == "after")
                assert node.network.audit() == ()
            check(made)
            for node in made.nodes.values():
                node.restart()
                node.network.apply(made.state_of(node))
                assert f"{OURS}-SERVICES" in node.save(), "a new agent changed the variant"
                assert f"{OURS}-SERVICES" not in node.run(f"iptables-{other}-save")


def programs(directory: Path, *names: str) -> str:
    """A search path that has only these programs of iptables."""
    directory.mkdir()
    for name in names:
        for action in ("save", "restore"):
            program = f"iptables-{name}-{action}"
            (directory / program).symlink_to(f"/usr/sbin/{program}")
    return str(directory)


def refuse(directory: Path, variant: str, message: str) -> None:
    """Write programs that print the message and fail, as on a kernel that lacks the variant."""
    for action in ("save", "restore"):
        program = directory / f"iptables-{variant}-{action}"
        program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{program.name} v1.8.9: {message}\nEND\nexit 3\n")
        program.chmod(0o755)


LEGACY_REFUSED = "can't initialize iptables table `nat': Table does not exist (do you need to insmod?)"
NFT_REFUSED = "Could not fetch rule set generation id: Operation not supported"


@pytest.mark.parametrize("how", ["no programs", "kernel refuses"])
def test_without_legacy_support(
    new_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = programs(tmp_path / "bin", "nft")
    if how == "kernel refuses":
        refuse(tmp_path / "bin", "legacy", LEGACY_REFUSED)
    monkeypatch.setattr(iptables, "_SEARCH_PATH", path)
    with new_cluster("ab", None) as made:
        for node in made.nodes.values():
            node.variant = "nft"
        with foreign_rules_stay(made, "nft"):
            check(made)
            assert f"{OURS}-SERVICES" in made.nodes["a"].save()


REFUSALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no programs": ((), ("iptables-legacy-save", "iptables-nft-save", "install the package iptables")),
    "the kernel has neither": (
        ("legacy", "nft"),
        ("Table does not exist", "Operation not supported", "ip_tables", "nf_tables", "modprobe"),
    ),
    "only legacy is installed, without support of the kernel": (
        ("legacy",),
        ("Table does not exist", "iptable_nat", "modprobe"),
    ),
}
"""The variants that are installed but refused, and what the error must contain."""


@pytest.mark.parametrize("case", REFUSALS)
def test_without_working_iptables_the_error_names_cause_and_remedy(
    new_namespace: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    refused, expected = REFUSALS[case]
    path = programs(tmp_path / "bin")
    for variant in refused:
        refuse(tmp_path / "bin", variant, {"legacy": LEGACY_REFUSED, "nft": NFT_REFUSED}[variant])
    monkeypatch.setattr(iptables, "_SEARCH_PATH", path)
    with pytest.raises(RulesUnavailable) as raised:
        iptables.choose(new_namespace(), f"{OURS}-")
    assert all(text in str(raised.value) for text in expected), raised.value
