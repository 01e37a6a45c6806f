"""An audit repairs manual changes to our state, and leaves the things of others alone."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from netrig.plugin import eventually
from netstack.desired import Endpoint, ServicePort
from netstack.monitor import DriftMonitor
from netstack.network import open_network
from netstack.pods import host_link_name
from netstack.rulesmonitor import RulesMonitor
from netstack.state import Link
from tests.kernel.topology import Cluster, Node

CLUSTER_IP = IPv4Address("10.96.0.10")

# Docker's rules as its engine writes them, and a rule of a firewall.
DOCKER = """*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:DOCKER - [0:0]
-A INPUT -p tcp -m tcp --dport 2222 -m comment --comment "foreign" -j DROP
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
"""

BREAKAGES = {
    "all tables flushed": "iptables-V -t nat -F; iptables-V -t nat -X; iptables-V -F; iptables-V -X",
    "one chain flushed": "iptables-V -t nat -F SAMPAN-SERVICES",
    "a jump deleted": "iptables-V -t nat -D PREROUTING 1",
    "a jump pushed down": "iptables-V -I FORWARD -s 10.244.0.0/16 -j DROP; iptables-V -A FORWARD -j SAMPAN-FORWARD",
    "a rule put into our chain": "iptables-V -I SAMPAN-FORWARD -j DROP",
    "a rule changed in place": "iptables-V -t nat -R SAMPAN-MARK 1 -j MARK --set-mark 1",
    "VTEP deleted": "ip link del sampan.vxlan",
    "VTEP down": "ip link set sampan.vxlan down",
    "VTEP made by another program": "ip link del sampan.vxlan; ip link add sampan.vxlan type vxlan id 9 dstport 4789",
    "VTEP's MTU": "ip link set sampan.vxlan mtu 1280",
    "underlay's MTU": "ip link set eth0 mtu 1400",
    "VTEP's address": "ip addr flush dev sampan.vxlan",
    "neighbour removed": "ip neigh flush nud permanent dev sampan.vxlan",
    "neighbour wrong": "ip neigh replace 10.244.2.0 lladdr 0a:58:00:00:00:01 nud permanent dev sampan.vxlan",
    "forwarding removed": "bridge fdb del 0a:58:0a:f4:02:00 dev sampan.vxlan dst 172.30.0.12",
    "forwarding wrong": "bridge fdb replace 0a:58:0a:f4:02:00 dev sampan.vxlan dst 172.30.0.99",
    "route removed": "ip route del 10.244.2.0/24",
    "service route removed": "ip route del 10.96.0.0/16",
    "pod's route removed": "ip route del POD",
    "pod's neighbour removed": "ip neigh del POD dev LINK",
    "pod's link down": "ip link set LINK down",
    "pod's link deleted": "ip link del LINK",
    "route replaced by another one": "ip route replace 10.244.2.0/24 dev lo",
    "pod's neighbour replaced": "ip neigh replace POD lladdr 0a:58:00:00:00:01 nud reachable dev LINK",
    "VTEP's MAC": "ip link set sampan.vxlan address 0a:58:00:00:00:02",
    "forwarding off": "sysctl -q -w net.ipv4.ip_forward=0",
}


def foreign(saved: str) -> list[str]:
    """The rules and policies that are not ours."""
    lines = [line for line in saved.splitlines() if "SAMPAN" not in line and not line.startswith("#")]
    return [line.split(" [")[0] for line in lines]


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_an_audit_repairs(pair: Cluster, breakage: str) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, near, far = pair.pod(a), pair.pod(a), pair.pod(b)
    pair.apply(ServicePort("default/web:http", "TCP", CLUSTER_IP, 80, 0, (Endpoint(far.address, 8080),)))
    a.run("ip", "route", "add", "198.51.100.0/24", "via", "172.30.0.100")
    assert a.network.audit() == ()
    _break(a, BREAKAGES[breakage], near.uid, str(near.address))

    repairs = a.network.audit()

    assert repairs, "the audit found nothing"
    assert a.network.audit() == ()
    assert pair.ask(client.where, near.address, 8080).server == near.uid
    assert pair.ask(client.where, CLUSTER_IP, 80).server == far.uid
    assert pair.ask(a.where, CLUSTER_IP, 80).seen == str(a.vtep)
    assert "198.51.100.0/24" in a.run("ip", "route")


ANNOUNCED = [name for name, command in BREAKAGES.items() if "iptables" not in command and "sysctl" not in command]


@pytest.mark.parametrize("breakage", ANNOUNCED)
def test_the_monitor_reports(trio: Cluster, breakage: str) -> None:
    """Drift that it does not report is only found by the audit every half minute."""
    a = trio.nodes["a"]
    near = trio.pod(a)
    _settle(a)
    with DriftMonitor(a.where) as monitor:
        assert not monitor.drain()
        _break(a, BREAKAGES[breakage], near.uid, str(near.address))
        assert monitor.drain()
    assert a.network.audit()


OF_RULES = [name for name, command in BREAKAGES.items() if "iptables" in command]


@pytest.mark.parametrize("breakage", OF_RULES)
def test_the_kernel_announces_changes_of_nftables_rules(pair: Cluster, breakage: str) -> None:
    """It does not announce changes of legacy rules."""
    a = pair.nodes["a"]
    with RulesMonitor(a.where) as monitor:
        assert a.network.audit() == ()
        assert not monitor.drain(), "an audit that finds nothing changes nothing"
        _break(a, BREAKAGES[breakage], "", "")
        assert monitor.drain() == (a.variant == "nft")
        assert a.network.audit()
        monitor.drain()
        assert a.network.audit() == ()
        assert not monitor.drain()


def test_the_kernel_announces_a_flush_of_all_rules(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    with RulesMonitor(a.where) as monitor, RulesMonitor(b.where) as elsewhere:
        a.run("nft", "add", "table", "inet", "theirs")
        assert monitor.drain()
        a.run("nft", "flush", "ruleset")
        assert monitor.drain()
        assert not monitor.drain()
        assert not elsewhere.drain()


def test_rules_alone_are_audited_without_links(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pair.apply(ServicePort("default/web:http", "TCP", CLUSTER_IP, 80, 0, ()))
    _break(a, "ip link del sampan.vxlan; iptables-V -t nat -F SAMPAN-SERVICES", "", "")
    assert {repair.what for repair in a.network.audit(links=False)} == {"rules"}
    assert {repair.what for repair in a.network.audit()} == {"overlay"}


def test_pods_follow_the_mtu_of_the_underlay(trio: Cluster) -> None:
    a = trio.nodes["a"]
    pod = trio.pod(a)
    a.run("ip", "link", "set", "eth0", "mtu", "1400")
    assert a.network.audit()
    assert a.network.audit() == ()
    assert _mtus(a.where)[host_link_name(pod.uid)] == 1350
    assert _mtus(pod.where)["eth0"] == 1350
    a.run("ip", "link", "set", "eth0", "mtu", "1500")
    assert a.network.audit()
    assert _mtus(a.where)[host_link_name(pod.uid)] == _mtus(pod.where)["eth0"] == 1450


def test_rules_of_others_stay_and_our_packets_pass_their_drop_policy(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    for node in (a, b):
        node.run("sh", "-c", f"iptables-{node.variant}-restore --noflush <<'E'\n{DOCKER}E")
    client, server = pair.pod(a), pair.pod(b)
    before = foreign(a.save())
    pair.apply(ServicePort("default/web:http", "TCP", CLUSTER_IP, 80, 31002, (Endpoint(server.address, 8080),)))
    a.network.audit()
    b.network.audit()
    assert pair.ask(client.where, CLUSTER_IP, 80).server == server.uid
    assert pair.ask(pair.outside, a.address, 31002).server == server.uid

    _break(a, "iptables-V -t nat -F SAMPAN-SERVICES; iptables-V -D FORWARD 1", "", "")
    assert a.network.audit()

    assert pair.ask(client.where, CLUSTER_IP, 80).server == server.uid
    assert foreign(a.save()) == before
    a.network.teardown()
    assert foreign(a.save()) == before


def test_teardown_leaves_nothing(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pair.pod(a)
    pair.apply(ServicePort("default/web:http", "TCP", CLUSTER_IP, 80, 31002, ()))
    a.network.teardown()
    assert "SAMPAN" not in a.save()
    assert {link.name for link in _links(a)} == {"lo", "eth0"}
    assert a.run("ip", "route").split("\n")[0].startswith("172.30.0.0/24")
    assert a.network.pods() == {}
    assert list((a.settings.state_dir / "network").rglob("*.json")) == []


def test_leftovers_of_a_dead_agent_are_removed(pair: Cluster) -> None:
    a = pair.nodes["a"]
    dead, alive = pair.pod(a), pair.pod(a)
    a.run("ip", "link", "add", host_link_name("orphan"), "type", "veth", "peer", "name", "other")
    a.run("ip", "link", "add", "spaghetti", "type", "veth", "peer", "name", "sauce")
    a.restart()
    assert a.network.retain({alive.uid}) == (dead.uid,)
    names = {link.name for link in _links(a)}
    assert names == {"lo", "eth0", "sampan.vxlan", host_link_name(alive.uid), "spaghetti", "sauce"}
    assert a.network.pods() == {alive.uid: alive.address}


def test_a_pod_in_a_new_namespace_replaces_its_old_link(pair: Cluster) -> None:
    a = pair.nodes["a"]
    old = pair.pod(a)
    again = pair.namespace("again")
    assert a.network.attach_namespace(old.uid, again) == old.address
    pair.unreachable(old.where, a.address, 1)
    pair.refused(again, a.address, 1)


def test_the_monitor_ignores_things_of_others(trio: Cluster) -> None:
    a = trio.nodes["a"]
    _settle(a)
    with DriftMonitor(a.where) as monitor:
        assert not monitor.drain()
        a.run("ip", "neigh", "replace", "172.30.0.77", "lladdr", "02:00:00:00:00:01", "nud", "stale", "dev", "eth0")
        a.run("ip", "route", "add", "198.51.100.0/24", "via", "172.30.0.100")
        a.run("ip", "link", "set", "eth0", "txqueuelen", "500")
        a.run("ip", "link", "add", "theirs", "mtu", "1400", "type", "bridge")
        assert not monitor.drain()
        a.run("ip", "neigh", "flush", "nud", "permanent", "dev", "sampan.vxlan")
        assert monitor.drain()
        assert not monitor.drain()
        a.run("ip", "link", "del", "sampan.vxlan")
        assert monitor.drain()


def _settle(node: Node) -> None:
    """Wait until the kernel has announced that the links are up, which takes up to a second."""
    eventually(lambda: "DOWN " not in node.run("ip", "-o", "link"))  # nor LOWERLAYERDOWN
    # A visible state may not be announced yet. The kernel does both under one lock, and any change, even one without
    # effect, waits for that lock.
    node.run("ip", "link", "set", "lo", "up")


def _break(node: Node, command: str, uid: str, address: str) -> None:
    command = command.replace("iptables-V", f"iptables-{node.variant}")
    command = command.replace("POD", address).replace("LINK", host_link_name(uid))
    node.run("sh", "-e", "-c", command)


def _mtus(where: str) -> dict[str, int]:
    with open_network(where) as network:
        return {link.name: link.mtu for link in network.links()}


def _links(node: Node) -> tuple[Link, ...]:
    with open_network(node.where) as network:
        return network.links()
