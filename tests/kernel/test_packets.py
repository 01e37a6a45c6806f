"""Real packets: pods, cluster IPs and node ports between throw-away nodes."""

from __future__ import annotations

import socket
from collections import Counter
from ipaddress import IPv4Address

import pytest

from netstack.desired import Endpoint, NetworkState, ServicePort
from tests.kernel.topology import UNDERLAY_MTU, Cluster, Pod

CLUSTER_IP = IPv4Address("10.96.0.10")
DNS = IPv4Address("10.96.0.53")
NODE_PORT = 31002


def service(*pods: Pod, node_port: int = 0, name: str = "default/web:http") -> ServicePort:
    endpoints = tuple(Endpoint(pod.address, 8080) for pod in pods)
    return ServicePort(name, "TCP", CLUSTER_IP, 80, node_port, endpoints)


def test_pods_on_the_same_or_another_node_see_each_others_real_addresses(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    first, second, third = pair.pod(a), pair.pod(a), pair.pod(b)
    for source, target in [(first, second), (first, third), (third, second), (first, first)]:
        answer = pair.ask(source.where, target.address, 8080)
        assert (answer.server, answer.seen) == (target.uid, str(source.address))


def test_nodes_reach_pods_and_pods_reach_nodes(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    near, far = pair.pod(a), pair.pod(b)
    assert pair.ask(a.where, near.address, 8080).server == near.uid
    assert pair.ask(a.where, far.address, 8080).seen == str(a.vtep)
    pair.responder(b.where, 9000, name="node-b")
    assert pair.ask(near.where, b.address, 9000).seen == str(a.address), (
        "a pod's packet to another node has its own node's address"
    )
    assert pair.ask(far.where, b.address, 9000).seen == str(far.address), (
        "a pod's packet to its own node keeps its address"
    )


def test_packets_that_leave_the_cluster_are_masqueraded(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a)
    pair.responder(pair.outside, 9000, name="world")
    assert pair.ask(pod.where, "172.30.0.100", 9000).seen == str(a.address)


def test_a_cluster_ip_is_reached_from_pods_and_nodes_and_keeps_the_source(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, near, far = pair.pod(a), pair.pod(a), pair.pod(b)
    pair.apply(service(near, far))
    served = Counter(pair.ask(client.where, CLUSTER_IP, 80).server for _ in range(60))
    assert set(served) == {near.uid, far.uid}
    assert min(served.values()) > 10, "the split is not about even"
    assert {pair.ask(client.where, CLUSTER_IP, 80).seen for _ in range(8)} == {str(client.address)}
    for node in (a, b):
        assert {pair.ask(node.where, CLUSTER_IP, 80).server for _ in range(20)} == {near.uid, far.uid}


def test_a_pod_reaches_itself_through_its_service(pair: Cluster) -> None:
    pod = pair.pod(pair.nodes["a"])
    pair.apply(service(pod))
    answer = pair.ask(pod.where, CLUSTER_IP, 80)
    assert answer.server == pod.uid
    assert answer.seen != str(pod.address)


def test_a_node_port_is_open_on_each_node_even_without_an_endpoint_there(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    pod, other = pair.pod(b), pair.pod(a)
    pair.apply(service(pod, node_port=NODE_PORT))
    for node in (a, b):
        assert pair.ask(pair.outside, node.address, NODE_PORT).server == pod.uid
        assert pair.ask(other.where, node.address, NODE_PORT).server == pod.uid
        assert pair.ask(a.where, node.address, NODE_PORT).server == pod.uid
        pair.refused(node.where, "127.0.0.1", NODE_PORT)


def test_a_service_without_endpoints_refuses_at_once(pair: Cluster) -> None:
    a = pair.nodes["a"]
    client = pair.pod(a)
    pair.apply(service(node_port=NODE_PORT))
    calls = [(client.where, CLUSTER_IP, 80), (a.where, CLUSTER_IP, 80), (pair.outside, a.address, NODE_PORT)]
    for where, address, port in calls:
        assert pair.refused(where, address, port).latency_s < 1
    # Even if a server of the host listens on the port.
    pair.responder(a.where, NODE_PORT, name="stranger")
    pair.refused(pair.outside, a.address, NODE_PORT)


def test_several_ports_and_protocols_of_a_service(pair: Cluster) -> None:
    pod = pair.pod(pair.nodes["b"])
    client = pair.pod(pair.nodes["a"])
    udp = ServicePort("default/web:dns", "UDP", CLUSTER_IP, 53, 31053, (Endpoint(pod.address, 5353),))
    admin = ServicePort("default/web:admin", "TCP", CLUSTER_IP, 81, 0, (Endpoint(pod.address, 9090),))
    pair.apply(service(pod), admin, udp)
    pair.responder(pod.where, 9090, name="admin")
    pair.responder(pod.where, 5353, name="dns")
    assert pair.ask(client.where, CLUSTER_IP, 80).server == pod.uid
    assert pair.ask(client.where, CLUSTER_IP, 81).server == "admin"
    assert pair.ask_udp(client.where, CLUSTER_IP, 53).server == "dns"
    assert pair.ask_udp(pair.outside, pair.nodes["a"].address, 31053).server == "dns"
    pair.refused(client.where, CLUSTER_IP, 82)


def test_the_segments_of_a_large_transfer_fit_the_overlay(trio: Cluster) -> None:
    source, target = trio.pod(trio.nodes["a"]), trio.pod(trio.nodes["c"])
    data = bytes(range(256)) * 8192
    with trio.connect(source.where, target.address, 8080) as connection:
        segment = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert segment <= UNDERLAY_MTU - 50 - 40
        assert connection.echo(data) == data


def test_open_connections_survive_changes_audits_and_a_restart(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, server, newcomer = pair.pod(a), pair.pod(b), pair.pod(b)
    pair.apply(service(server, node_port=NODE_PORT))
    with pair.connect(client.where, CLUSTER_IP, 80) as inner, pair.connect(pair.outside, a.address, NODE_PORT) as outer:
        for connection in (inner, outer):
            assert connection.server == server.uid
        before = [node.rules() for node in (a, b)]
        for node in (a, b):
            node.restart()
            node.network.apply(pair.state_of(node))
            assert node.network.audit() == ()
        assert [node.rules() for node in (a, b)] == before
        pair.apply(service(newcomer, node_port=NODE_PORT))
        for connection in (inner, outer):
            assert connection.echo(b"still here") == b"still here"
        assert pair.ask(client.where, CLUSTER_IP, 80).server == newcomer.uid


def test_a_released_address_reaches_no_pod_and_is_not_reused_at_once(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, gone = pair.pod(b), pair.pod(a)
    a.network.detach_pod(gone.uid)
    assert gone.uid in a.network.pods()
    pair.unreachable(client.where, gone.address, 8080)
    a.network.release_pod(gone.uid)
    assert gone.uid not in a.network.pods()
    assert pair.pod(a).address != gone.address


def test_a_third_node_joins_and_leaves(trio: Cluster) -> None:
    a, c = trio.nodes["a"], trio.nodes["c"]
    near, far = trio.pod(a), trio.pod(c)
    assert trio.ask(near.where, far.address, 8080).seen == str(near.address)
    del trio.nodes["c"]
    a.network.apply(trio.state_of(a))
    assert "10.244.3." not in a.run("ip", "route") + a.run("bridge", "fdb") + a.run("ip", "neigh")


@pytest.mark.parametrize("where", ["elsewhere", "this node", "another node"])
def test_an_endpoint_outside_the_pod_network(pair: Cluster, where: str) -> None:
    """The master's own service has such an endpoint: the API server is not a pod."""
    a, b = pair.nodes["a"], pair.nodes["b"]
    pod = pair.pod(a)
    place, address = {
        "elsewhere": (pair.outside, IPv4Address("172.30.0.100")),
        "this node": (a.where, a.address),
        "another node": (b.where, b.address),
    }[where]
    api = ServicePort("default/kubernetes:https", "TCP", CLUSTER_IP, 443, 0, (Endpoint(address, 6443),))
    pair.apply(api)
    pair.responder(place, 6443, name="api")
    assert pair.ask(pod.where, CLUSTER_IP, 443).server == "api"
    assert pair.ask(a.where, CLUSTER_IP, 443).server == "api"


def test_each_node_answers_dns_for_its_own_pods_and_itself(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    near, far = pair.pod(a), pair.pod(b)
    pair.apply_state(NetworkState(dns=DNS))
    for node in (a, b):
        pair.responder(node.where, 53, name=f"dns-{node.name}", address=str(DNS))
    for where, server in ((near.where, "dns-a"), (far.where, "dns-b"), (a.where, "dns-a")):
        assert pair.ask(where, DNS, 53).server == server
        assert pair.ask_udp(where, DNS, 53).server == server
    assert pair.ask(near.where, DNS, 53).seen == str(near.address)
    assert a.network.audit() == ()


def test_a_nodes_dns_does_not_answer_other_hosts_or_other_ports(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a)
    pair.apply_state(NetworkState(dns=DNS))
    for port in (53, 9000):
        pair.responder(a.where, port, name="host")
    pair.outside_host.run(("ip", "route", "add", f"{DNS}/32", "via", str(a.address)))
    pair.refused(pair.outside, DNS, 53)
    pair.refused(pod.where, DNS, 9000)
    assert pair.ask(pod.where, DNS, 53).server == "host"


def test_a_node_that_stops_to_answer_dns_keeps_nothing_of_it(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a)
    before = a.rules()
    pair.apply_state(NetworkState(dns=DNS))
    assert str(DNS) in a.run("ip", "addr")
    pair.responder(a.where, 53, name="dns")
    pair.apply()
    assert str(DNS) not in a.run("ip", "addr")
    assert a.rules() == before
    pair.refused(pod.where, DNS, 53)


def test_the_address_of_dns_is_repaired_and_survives_a_restart(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pair.apply_state(NetworkState(dns=DNS))
    a.run("ip", "addr", "del", f"{DNS}/32", "dev", "sampan.vxlan")
    assert a.network.audit() != ()
    assert a.network.audit() == ()
    a.restart()
    a.network.apply(pair.state_of(a))
    assert str(DNS) in a.run("ip", "addr")
    assert a.network.audit() == ()
