"""Difficult hosts and moments: strict reverse path filters, flows that outlive an endpoint, peers with
a new address.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from netrig.probe import Connection
from netstack import namespaces
from netstack.changes import AddVeth, DeleteAddress, SetAddress, SetLink
from netstack.desired import Endpoint, ServicePort
from netstack.kernel import HostKernel
from netstack.network import open_network
from netstack.node import NodeNetwork
from netstack.state import Address
from tests.kernel.topology import SILENT_S, TIMEOUT_S, Cluster, Node, Pod

CLUSTER_IP = IPv4Address("10.96.0.10")
UNDERLAY = IPv4Network("172.30.0.0/24")
NEVER_FRAGMENT = 10  # IP_MTU_DISCOVER, ip(7)


def web(*pods: Pod, node_port: int = 31002) -> ServicePort:
    endpoints = tuple(Endpoint(pod.address, 8080) for pod in pods)
    return ServicePort("default/web:http", "TCP", CLUSTER_IP, 80, node_port, endpoints)


def dns(*pods: Pod) -> ServicePort:
    return ServicePort(
        "default/dns:udp", "UDP", CLUSTER_IP, 53, 31053, tuple(Endpoint(pod.address, 53) for pod in pods)
    )


@pytest.mark.parametrize("paths", ["from pods", "from nodes", "from outside"])
def test_strict_reverse_path_filters_drop_nothing(pair: Cluster, paths: str) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    for node in (a, b):
        for name in ("all", "default", "eth0", "sampan.vxlan"):
            node.run("sysctl", "-q", "-w", f"net/ipv4/conf/{name}/rp_filter=1")
        node.run(f"iptables-{node.variant}", "-P", "FORWARD", "DROP")
    near, far = pair.pod(a), pair.pod(b)
    for target in (near, far):
        pair.apply(web(target))
        wheres = {"from pods": [near.where, far.where], "from nodes": [a.where, b.where], "from outside": []}[paths]
        for where in wheres:
            assert pair.ask(where, target.address, 8080).server == target.uid
            assert pair.ask(where, CLUSTER_IP, 80).server == target.uid
        for where in wheres or [pair.outside]:
            for node in (a, b):
                assert pair.ask(where, node.address, 31002).server == target.uid


@pytest.mark.parametrize("through", ["cluster ip", "node port"])
def test_a_udp_flow_leaves_a_stale_endpoint(pair: Cluster, through: str) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client_pod, old, new = pair.pod(a), pair.pod(b), pair.pod(a)
    where = client_pod.where if through == "cluster ip" else pair.outside
    address, port = (CLUSTER_IP, 53) if through == "cluster ip" else (a.address, 31053)
    for pod in (old, new):
        pair.responder(pod.where, 53, name=pod.uid)
    pair.apply(dns(old))
    with pair.flow(where, address, port) as client:
        assert client.ask().server == old.uid
        pair.apply(dns(old, new))
        assert client.ask().server == old.uid, "the endpoint lost its flow although it stayed"
        pair.apply(dns(new))
        assert client.ask().server == new.uid


def test_a_udp_flow_that_is_older_than_the_first_endpoint_reaches_it(pair: Cluster) -> None:
    a = pair.nodes["a"]
    client_pod, server = pair.pod(a), pair.pod(a)
    pair.apply()
    pair.responder(server.where, 53, name=server.uid)
    with pair.flow(pair.outside, a.address, 31053) as client:
        with pytest.raises(OSError):
            client.ask()
        pair.apply(dns(server))
        assert client.ask().server == server.uid
    assert client_pod


@pytest.mark.parametrize("through", ["cluster ip", "node port"])
def test_a_new_connection_is_not_sent_to_the_dead_endpoint_of_an_unanswered_one(pair: Cluster, through: str) -> None:
    """The client of the first connection gives up; the next connection happens to have the same source port."""
    a, b = pair.nodes["a"], pair.nodes["b"]
    client_pod, dead, new = pair.pod(a), pair.pod(b), pair.pod(b)
    where = client_pod.where if through == "cluster ip" else pair.outside
    address, port = (CLUSTER_IP, 80) if through == "cluster ip" else (a.address, 31002)
    pair.apply(web(dead))
    with open_network(dead.where) as network:
        network.change([SetLink("eth0", up=False)])
    with pytest.raises(TimeoutError):
        connect_from(where, 40_000, address, port, timeout_s=SILENT_S)
    pair.apply(web(new))
    with Connection(connect_from(where, 40_000, address, port, timeout_s=TIMEOUT_S)) as connection:
        assert connection.server == new.uid


def test_an_established_connection_survives_when_an_unanswered_one_is_forgotten(
    pair: Cluster,
) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, old, dead, new = pair.pod(a), pair.pod(b), pair.pod(b), pair.pod(a)
    pair.apply(web(old))
    with pair.connect(client.where, CLUSTER_IP, 80) as connection:
        with open_network(dead.where) as network:
            network.change([SetLink("eth0", up=False)])
        pair.apply(web(dead))
        with pytest.raises(TimeoutError):
            connect_from(client.where, 40_000, CLUSTER_IP, 80, timeout_s=SILENT_S)
        pair.apply(web(new))
        assert connection.echo(b"still there") == b"still there"


def test_pods_reach_the_node_ports_of_all_nodes_even_as_their_own_endpoint(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    near, far = pair.pod(a), pair.pod(b)
    for target in (near, far):
        pair.apply(web(target))
        for pod in (near, far):
            for node in (a, b):
                assert pair.ask(pod.where, node.address, 31002).server == target.uid
                assert pair.ask(pod.where, node.vtep, 31002).server == target.uid


def test_a_peer_is_reached_at_its_new_address(trio: Cluster) -> None:
    a, b = trio.nodes["a"], trio.nodes["b"]
    near, far = trio.pod(a), trio.pod(b)
    assert trio.ask(near.where, far.address, 8080).server == far.uid
    moved = _move(b, IPv4Address("172.30.0.77"))
    trio.nodes["b"] = moved
    trio.stack.callback(moved.network.close)
    trio.apply()
    assert trio.ask(near.where, far.address, 8080).server == far.uid
    assert trio.ask(far.where, near.address, 8080).server == near.uid
    assert "172.30.0.12" not in a.run("bridge", "fdb", "show", "dev", "sampan.vxlan")
    assert a.network.audit() == ()


def test_nothing_stays_of_the_former_pod_cidr_of_a_node_that_joined_again(trio: Cluster) -> None:
    a, b = trio.nodes["a"], trio.nodes["b"]
    b.network.teardown()
    b.network.close()
    settings = replace(b.settings, pod_cidr=IPv4Network("10.244.9.0/24"))
    moved = replace(b, settings=settings, network=NodeNetwork(settings, HostKernel(b.where, variant=b.variant)))
    trio.nodes["b"] = moved
    trio.stack.callback(moved.network.close)
    trio.apply()
    near, far = trio.pod(a), trio.pod(moved)
    assert far.address in settings.pod_cidr
    assert trio.ask(near.where, far.address, 8080).server == far.uid
    for what in (("ip", "route"), ("ip", "neigh"), ("bridge", "fdb")):
        assert "10.244.2." not in a.run(*what)
        assert "0a:58:0a:f4:02:00" not in a.run(*what)


def test_all_machines_may_have_the_same_address_on_their_first_interface(trio: Cluster) -> None:
    """Vagrant makes such machines: each has 10.0.2.15."""
    for node in trio.nodes.values():
        with open_network(node.where) as network:
            network.change([AddVeth("nat0", "nat1"), SetLink("nat0", up=True), SetLink("nat1", up=True)])
            network.change([SetAddress(Address("nat0", IPv4Interface("10.0.2.15/24")))])
    a, b = trio.nodes["a"], trio.nodes["b"]
    near, far = trio.pod(a), trio.pod(b)
    for target in (near, far):
        trio.apply(web(target))
        for where in (near.where, far.where, a.where, b.where):
            assert trio.ask(where, CLUSTER_IP, 80).server == target.uid
        for node in (a, b):
            assert trio.ask(trio.outside, node.address, 31002).server == target.uid


def test_a_connection_survives_the_deletion_and_recreation_of_its_service(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    client, old, new = pair.pod(a), pair.pod(b), pair.pod(a)
    pair.apply(web(old))
    with pair.connect(client.where, CLUSTER_IP, 80) as connection:
        assert connection.server == old.uid
        for services in ((), (web(),), (web(new),)):
            pair.apply(*services)
            assert connection.echo(b"x" * 5000) == b"x" * 5000
    assert pair.ask(client.where, CLUSTER_IP, 80).server == new.uid


def test_large_datagrams_cross_nodes_and_larger_ones_are_refused(trio: Cluster) -> None:
    a, b = trio.nodes["a"], trio.nodes["b"]
    near, far = trio.pod(a), trio.pod(b)
    with trio.flow(near.where, far.address, 9) as client:
        client.socket.setsockopt(socket.IPPROTO_IP, NEVER_FRAGMENT, 2)
        client.socket.send(b"x" * (1450 - 28))
        with pytest.raises(OSError, match="too long"):
            client.socket.send(b"x" * (1450 - 27))
    trio.responder(far.where, 53, name=far.uid)
    trio.apply(dns(far))
    with trio.flow(trio.outside, a.address, 31053) as client:
        client.socket.setsockopt(socket.IPPROTO_IP, NEVER_FRAGMENT, 2)
        client.socket.send(b"x" * 1472)  # fits the underlay, not the overlay behind it
        with pytest.raises(OSError, match="too long"):
            client.socket.recv(10)


def connect_from(where: str, source_port: int, address: IPv4Address, port: int, *, timeout_s: float) -> socket.socket:
    """A connection from a given source port."""

    def body() -> socket.socket:
        return socket.create_connection((str(address), port), timeout=timeout_s, source_address=("", source_port))

    return namespaces.run_in(where, body)


def _move(node: Node, address: IPv4Address) -> Node:
    """Changes the node's address and opens its network again, as a node does whose address has changed."""
    with open_network(node.where) as network:
        network.change(
            [
                SetAddress(Address("eth0", IPv4Interface((address, UNDERLAY.prefixlen)))),
                DeleteAddress(Address("eth0", IPv4Interface((node.address, UNDERLAY.prefixlen)))),
                SetAddress(Address("eth0", IPv4Interface((address, UNDERLAY.prefixlen)))),
            ]
        )
    node.network.close()
    settings = replace(node.settings, node_address=address)
    return replace(node, settings=settings, network=NodeNetwork(settings, HostKernel(node.where, variant=node.variant)))
