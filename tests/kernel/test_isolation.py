"""What a pod sends changes nothing on its node: real router advertisements, and a pid that was used again."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from netrig.plugin import eventually
from netstack import namespaces
from netstack.changes import AddVeth, SetLink
from netstack.errors import HostNamespace
from netstack.network import open_network
from netstack.overlay.vxlan import PORT, VNI
from netstack.pods import host_link_name
from tests.kernel.topology import Cluster, Node, Pod

ALL_NODES, ROUTER = "ff02::1", "fe80::bad"
ROUTER_LIFETIME_S = 1800


@pytest.fixture
def node(trio: Cluster) -> Node:
    """A node that accepts router advertisements on its own links, which is the kernel's default."""
    a = trio.nodes["a"]
    if a.run("sysctl", "-n", "net.ipv6.conf.default.disable_ipv6").strip() != "0":
        pytest.skip("this kernel has no IPv6")
    assert a.run("sysctl", "-n", "net.ipv6.conf.default.accept_ra").strip() == "1"
    return a


def test_a_router_advertisement_of_a_pod_gives_its_node_no_route(trio: Cluster, node: Node) -> None:
    pod = trio.pod(node)
    neighbour = foreign_link(trio, node)

    advertise(pod.where, "eth0")
    advertise(neighbour, "router")

    # The node has taken the second packet, so it has seen the first one too.
    eventually(lambda: default_routes(node))
    assert [route for route in default_routes(node) if "dev foreign" not in route] == []
    assert addresses(node, host_link_name(pod.uid)) == addresses(node, "sampan.vxlan") == ""
    assert trio.ask(node.where, pod.address, 8080).server == pod.uid


def test_a_router_advertisement_through_the_overlay_gives_the_node_no_route(trio: Cluster, node: Node) -> None:
    """A pod may send UDP to its node, and so a packet as another node would encapsulate it."""
    pod = trio.pod(node)
    neighbour = foreign_link(trio, node)

    frame = bytes.fromhex("333300000001") + bytes.fromhex("0a580a010101") + b"\x86\xdd" + advertisement()
    packet = struct.pack("!II", 0x08 << 24, VNI << 8) + frame
    with namespaces.run_in(pod.where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.sendto(packet, (str(node.address), PORT))
    advertise(neighbour, "router")

    eventually(lambda: default_routes(node))
    assert [route for route in default_routes(node) if "dev foreign" not in route] == []


def test_the_route_that_a_pod_announced_to_an_earlier_release_is_removed(trio: Cluster, node: Node) -> None:
    pod, link = earlier_link(trio, node)
    advertise(pod.where, "eth0")
    eventually(lambda: f"dev {link}" in "".join(default_routes(node)))

    node.restart()
    node.network.apply(trio.state_of(node))
    repairs = node.network.audit()

    assert [repair.detail for repair in repairs if link in repair.detail and "IPv6" in repair.detail]
    assert default_routes(node) == []
    assert addresses(node, link) == ""
    assert node.network.audit() == ()
    assert trio.ask(node.where, pod.address, 8080).server == pod.uid


def test_attaching_again_switches_ipv6_off_on_a_link_of_an_earlier_release(trio: Cluster, node: Node) -> None:
    pod, link = earlier_link(trio, node)
    advertise(pod.where, "eth0")
    eventually(lambda: f"dev {link}" in "".join(default_routes(node)))

    node.restart()
    assert node.network.attach_namespace(pod.uid, pod.where) == pod.address

    assert default_routes(node) == []
    assert addresses(node, link) == ""


def test_a_link_that_becomes_large_enough_for_ipv6_stays_closed(trio: Cluster, node: Node) -> None:
    """The kernel removes the IPv6 parameters of a link below 1280 bytes, and makes new ones when it grows."""
    node.run("ip", "link", "set", "eth0", "mtu", "1300")
    node.network.audit()
    pod = trio.pod(node)
    node.run("ip", "link", "set", "eth0", "mtu", "1500")
    node.network.audit()

    advertise(pod.where, "eth0")
    neighbour = foreign_link(trio, node)
    advertise(neighbour, "router")

    eventually(lambda: default_routes(node))
    assert [route for route in default_routes(node) if "dev foreign" not in route] == []


def test_the_network_of_the_host_is_never_taken_for_a_pods(trio: Cluster, node: Node) -> None:
    before = node.run("ip", "address"), node.run("ip", "route")
    own = namespaces.open_fd(node.where)
    try:
        with pytest.raises(HostNamespace):
            node.network.attach_namespace("uid-1", namespaces.of_fd(own))
    finally:
        os.close(own)
    assert (node.run("ip", "address"), node.run("ip", "route")) == before
    assert node.network.pods() == {}


def test_an_audit_rebuilds_no_link_in_the_network_of_the_host(trio: Cluster, node: Node) -> None:
    """The sandbox has ended, and a process of the host got its pid."""
    own, pods_own = namespaces.open_fd(node.where), namespaces.open_fd(trio.namespace("pod"))
    try:
        node.network.attach_namespace("uid-1", namespaces.of_fd(pods_own))
        node.run("ip", "link", "delete", host_link_name("uid-1"))
        before = node.run("ip", "link")
        os.dup2(own, pods_own)
        assert node.network.audit() == ()
        assert node.run("ip", "link") == before
    finally:
        os.close(own)
        os.close(pods_own)


def foreign_link(cluster: Cluster, node: Node) -> str:
    """A link of the node that is not ours, with IPv6 as the kernel makes it. Returns the namespace of its other end."""
    where = cluster.namespace("router")
    with open_network(node.where) as network, open_network(where) as inside:
        network.change([AddVeth("foreign", "router", where)])
        inside.change([SetLink("router", up=True)])
    eventually(lambda: "fe80::" in addresses(node, "foreign"))
    return where


def earlier_link(cluster: Cluster, node: Node) -> tuple[Pod, str]:
    """A pod whose link has IPv6, as release 0.1.0 made it. Returns the pod and the name of the node's end."""
    pod = cluster.pod(node)
    link = host_link_name(pod.uid)
    for name, value in (("disable_ipv6", "0"), ("accept_ra", "1")):
        node.run("sysctl", "-q", "-w", f"net.ipv6.conf.{link}.{name}={value}")
    eventually(lambda: "fe80::" in addresses(node, link))
    return pod, link


def advertise(where: str, link: str) -> None:
    """Send a router advertisement (RFC 4861, 4.2) from the link, as any process with CAP_NET_RAW can."""
    namespaces.run_in(where, lambda: _send(link, advertisement()))


def _send(link: str, packet: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
        # A multicast MAC is 33:33 and the last four bytes of the address (RFC 2464, 7).
        sender.sendto(packet, (link, 0x86DD, 0, 0, bytes.fromhex("333300000001")))


def advertisement() -> bytes:
    source, destination = (socket.inet_pton(socket.AF_INET6, address) for address in (ROUTER, ALL_NODES))
    message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, ROUTER_LIFETIME_S, 0, 0)
    pseudo = source + destination + struct.pack("!II", len(message), socket.IPPROTO_ICMPV6)
    message = message[:2] + struct.pack("!H", _checksum(pseudo + message)) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), socket.IPPROTO_ICMPV6, 255)
    return head + source + destination + message


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def default_routes(node: Node) -> list[str]:
    return node.run("ip", "-6", "route", "show", "default").splitlines()


def addresses(node: Node, link: str) -> str:
    return node.run("ip", "-6", "address", "show", "dev", link)
