"""Real packets to host ports: from outside, from the node, from pods of the same and of other nodes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address

import pytest

from agent.clock import SystemClock
from agent.relay.relay import Relay
from netstack import namespaces
from netstack.desired import Endpoint, HostPort, NetworkState, PublishedPort, ServicePort
from netstack.errors import RulesRefused
from tests.fakes.sessions import until
from tests.kernel.topology import TIMEOUT_S, Cluster, Node

PORT = 8443
CLUSTER_IP, DNS = IPv4Address("10.96.0.10"), IPv4Address("10.96.0.53")


def web(protocol: str = "tcp", *, port: int = PORT, address: IPv4Address | None = None) -> HostPort:
    return HostPort("default/web", protocol, port, 8080, address)


def test_a_host_port_is_reached_from_everywhere_and_only_on_its_own_node(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    pod = pair.pod(a, web())
    near, far = pair.pod(a), pair.pod(b)
    for where, seen in (
        (pair.outside, "172.30.0.100"),
        (a.where, str(a.address)),
        (b.where, str(b.address)),
        (near.where, str(near.address)),
        (far.where, str(b.address)),
    ):
        answer = pair.ask(where, a.address, PORT)
        assert (answer.server, answer.seen) == (pod.uid, seen)
    for where in (pair.outside, a.where, near.where):
        pair.refused(where, b.address, PORT)
    assert a.network.audit() == ()


def test_a_pod_reaches_itself_through_its_host_port(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a, web())
    answer = pair.ask(pod.where, a.address, PORT)
    assert answer.server == pod.uid
    assert answer.seen != str(pod.address)


def test_udp_and_tcp_are_different_ports(pair: Cluster) -> None:
    a = pair.nodes["a"]
    tcp, udp = pair.pod(a, web()), pair.pod(a, web("udp"))
    for where in (pair.outside, a.where, tcp.where, udp.where):
        assert pair.ask(where, a.address, PORT).server == tcp.uid
        assert pair.ask_udp(where, a.address, PORT).server == udp.uid


def test_a_port_of_one_address_and_of_all_others(pair: Cluster) -> None:
    a = pair.nodes["a"]
    a.run("ip", "address", "add", "172.30.0.50/24", "dev", "eth0")
    one = pair.pod(a, web(address=IPv4Address("172.30.0.50")))
    for where in (pair.outside, a.where):
        assert pair.ask(where, "172.30.0.50", PORT).server == one.uid
        pair.refused(where, a.address, PORT)
    rest = pair.pod(a, web())
    for where in (pair.outside, a.where):
        assert pair.ask(where, "172.30.0.50", PORT).server == one.uid
        assert pair.ask(where, a.address, PORT).server == rest.uid


def test_a_program_of_the_host_gets_nothing_and_a_node_port_comes_first(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pair.responder(a.where, PORT, name="stranger")
    assert pair.ask(pair.outside, a.address, PORT).server == "stranger"
    taken, other = pair.pod(a, web()), pair.pod(a, web(port=31002))
    assert pair.ask(pair.outside, a.address, PORT).server == taken.uid
    assert pair.ask(pair.outside, a.address, 31002).server == other.uid
    pair.apply(
        ServicePort("default/web", "TCP", IPv4Address("10.96.0.10"), 80, 31002, (Endpoint(taken.address, 8080),))
    )
    assert pair.ask(pair.outside, a.address, 31002).server == taken.uid


def test_a_host_port_does_not_catch_the_questions_to_the_nodes_dns(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod, client = pair.pod(a, web("udp", port=53)), pair.pod(a)
    pair.apply_state(NetworkState(dns=DNS))
    pair.responder(a.where, 53, name="dns", address=str(DNS))
    assert pair.ask_udp(client.where, DNS, 53).server == "dns"
    assert pair.ask_udp(client.where, a.address, 53).server == pod.uid


def test_a_port_goes_with_its_pod_and_a_udp_flow_follows_the_next_one(pair: Cluster) -> None:
    a = pair.nodes["a"]
    first = pair.pod(a, web(), web("udp"))
    with pair.flow(pair.outside, a.address, PORT) as flow:
        assert flow.ask().server == first.uid
        a.network.detach_pod(first.uid)
        pair.refused(pair.outside, a.address, PORT)
        assert "HOSTPORTS" not in a.save()
        second = pair.pod(a, web(), web("udp"))
        assert flow.ask().server == second.uid
    assert pair.ask(pair.outside, a.address, PORT).server == second.uid


def test_ports_survive_a_restart_and_open_connections_too(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a, web())
    with pair.connect(pair.outside, a.address, PORT) as connection:
        assert connection.server == pod.uid
        before = a.rules()
        a.restart()
        a.network.apply(pair.state_of(a))
        assert a.rules() == before
        assert a.network.audit() == ()
        assert connection.echo(b"still here") == b"still here"
    assert pair.ask(pair.outside, a.address, PORT).server == pod.uid
    assert a.network.retain(()) == (pod.uid,)
    assert "HOSTPORTS" not in a.save()


def test_damaged_rules_of_host_ports_are_repaired(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a, web())
    a.run(f"iptables-{a.variant}", "-t", "nat", "-F", "SAMPAN-HOSTPORTS")
    pair.refused(pair.outside, a.address, PORT)
    (repair,) = a.network.audit()
    assert "SAMPAN-HOSTPORTS" in repair.detail
    assert pair.ask(pair.outside, a.address, PORT).server == pod.uid


def test_a_firewall_that_drops_what_is_forwarded_lets_host_ports_pass(pair: Cluster) -> None:
    a = pair.nodes["a"]
    pod = pair.pod(a, web())
    a.run(f"iptables-{a.variant}", "-P", "FORWARD", "DROP")
    assert pair.ask(pair.outside, a.address, PORT).server == pod.uid


def test_sctp(pair: Cluster) -> None:
    """By raw packets: the kernel needs no SCTP of its own to forward it."""
    a = pair.nodes["a"]
    pod = pair.pod(a, web("sctp"))

    def raw() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)

    with namespaces.run_in(pod.where, raw) as inside, namespaces.run_in(pair.outside, raw) as outside:
        inside.settimeout(TIMEOUT_S / 10)
        for _ in range(10):  # as SCTP repeats it: a packet may get lost while a new link comes up
            outside.sendto(sctp_init(4000, PORT), (str(a.address), 0))
            with suppress(TimeoutError):
                packet = inside.recv(2048)[20:]  # without the IP header
                break
        else:
            pytest.fail("no packet arrives")
    assert struct.unpack_from("!HH", packet) == (4000, 8080)


def test_a_port_that_the_kernel_refuses_fails_its_pod_alone(pair: Cluster) -> None:
    a = pair.nodes["a"]
    outside_the_range = HostPort("default/web", "tcp", 70000, 8080)
    with pytest.raises(RulesRefused):
        pair.pod(a, outside_the_range)
    other = pair.pod(a, web())
    assert pair.ask(pair.outside, a.address, PORT).server == other.uid


def sctp_init(source: int, destination: int) -> bytes:
    """A packet with an INIT chunk (RFC 9260, 3.3.2)."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65536, 1, 1, 1)
    header = struct.pack("!HHI", source, destination, 0)
    checksum = crc32c(header + bytes(4) + chunk)
    return header + struct.pack("<I", checksum) + chunk


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def test_the_loopback_reaches_node_ports_and_host_ports_by_the_relay(pair: Cluster) -> None:
    a, b = pair.nodes["a"], pair.nodes["b"]
    far = pair.pod(b)
    near = pair.pod(a, web())
    local = PublishedPort(web(), near.address)
    only = PublishedPort(web(port=8444, address=IPv4Address("127.0.0.7")), far.address)
    node_port = ServicePort("default/web", "TCP", CLUSTER_IP, 80, 31002, (Endpoint(far.address, 8080),))
    silent = ServicePort("default/none", "TCP", CLUSTER_IP, 81, 31003)
    pair.apply(node_port, silent)
    with relaying(a, [node_port, silent], [local, only]):
        answer = pair.ask(a.where, "127.0.0.1", 31002)
        assert (answer.server, answer.seen) == (far.uid, str(a.vtep))
        assert pair.ask(a.where, "127.0.0.1", PORT).server == near.uid
        assert pair.ask(a.where, "127.0.0.7", 8444).server == far.uid
        pair.unreachable(a.where, "127.0.0.1", 31003)
        with pair.connect(a.where, "127.0.0.1", 31002) as connection:
            data = bytes(range(256)) * 65536
            assert connection.echo(data) == data
    for port in (31002, 31003, PORT):
        pair.refused(a.where, "127.0.0.1", port)


@contextmanager
def relaying(node: Node, services: Sequence[ServicePort], host_ports: Sequence[PublishedPort]) -> Iterator[None]:
    """A relay in the namespace of the node, on a thread."""
    started, stop = threading.Event(), threading.Event()
    problems: list[str] = []

    async def run() -> None:
        relay = Relay(SystemClock(), on_problem=problems.append)
        relay.serve(services, host_ports)
        task = asyncio.create_task(relay.run())
        await until(lambda: relay.open_ports or problems)
        started.set()
        await asyncio.to_thread(stop.wait)
        task.cancel()
        await asyncio.wait([task])

    thread = threading.Thread(target=namespaces.run_in, args=(node.where, lambda: asyncio.run(run())))
    thread.start()
    try:
        assert started.wait(TIMEOUT_S)
        assert problems == []
        yield
    finally:
        stop.set()
        thread.join()
