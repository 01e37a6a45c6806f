"""Probers, responders and captures with real packets."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from netrig.capture import Capture, read
from netrig.errors import NotFound, Unexpected
from netrig.plugin.fixtures import MakeProber, MakeResponder
from netrig.probe import Outcome, ask, ask_udp, http, icmp, tcp, udp
from netrig.topology import Topology
from netstack import namespaces
from tests.kernel.netrig.conftest import Routed


def test_an_answer_has_the_server_s_name_and_the_client_s_address(routed: Routed) -> None:
    results = routed.prober.expect(Outcome.REPLY, ask("10.1.0.1", 80), ask_udp("10.1.0.1", 80), http("10.1.0.1", 80))
    assert {(result.server, result.seen) for result in results} == {("bee", "10.0.0.1")}
    assert results[2].status == 200


def test_a_source_address_can_be_chosen(routed: Routed) -> None:
    routed.a.run(["ip", "address", "add", "10.0.0.7/24", "dev", "eth0"])
    assert routed.prober.one(ask("10.1.0.1", 80, source="10.0.0.7")).seen == "10.0.0.7"


def test_a_masqueraded_source_is_seen(routed: Routed) -> None:
    routed.router.run(["iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth1", "-j", "MASQUERADE"])
    assert routed.prober.one(ask("10.1.0.1", 80)).seen == "10.1.0.254"


def test_a_failure_names_each_probe(routed: Routed) -> None:
    with pytest.raises(Unexpected) as failure:
        routed.prober.expect(Outcome.REPLY, tcp("10.1.0.1", 80), tcp("10.1.0.1", 81), icmp("10.0.0.9", timeout_s=0.2))
    refused, silent = str(failure.value).splitlines()
    assert refused.startswith("a → 10.1.0.1:81/tcp: expected reply, got refused after")
    # A busy machine wakes the probe later than after 0.2 s.
    text, _, waited = silent.partition(" after ")
    assert text == "a → 10.0.0.9/icmp: expected reply, got silence" and float(waited.removesuffix(" s")) >= 0.2


def test_drop_and_reject_of_a_firewall_are_distinguished(routed: Routed) -> None:
    forward = ["iptables", "-A", "FORWARD", "-p", "tcp", "--dport"]
    routed.router.run([*forward, "80", "-j", "DROP"])
    routed.router.run([*forward, "81", "-j", "REJECT", "--reject-with", "icmp-admin-prohibited"])
    routed.prober.expect(Outcome.SILENCE, tcp("10.1.0.1", 80, timeout_s=0.2))
    (rejected,) = routed.prober.expect(Outcome.REFUSED, tcp("10.1.0.1", 81))
    assert rejected.detail == "No route to host"
    assert routed.prober.one(icmp("10.9.9.9")).outcome is Outcome.REFUSED  # the router has no route
    assert "-j DROP" in routed.router.rules() or "drop" in routed.router.rules()


def test_thousands_of_probes_leave_no_descriptor(routed: Routed) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    routed.prober.expect(Outcome.REPLY, *[tcp("10.1.0.1", 80)] * 5000)
    routed.prober.expect(Outcome.REPLY, *[ask("10.1.0.1", 80)] * 1000)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_copies_of_closed_sockets_in_a_child_process_disturb_no_probe(routed: Routed) -> None:
    """The test holds the copies itself: a child loses its copies when it runs its program."""
    with ExitStack() as stack:
        before = _sockets()
        with routed.prober.connect("10.1.0.1", 80) as connection:
            for descriptor in _sockets() - before - {connection.socket.fileno()}:
                stack.callback(os.close, os.dup(descriptor))
        routed.prober.expect(Outcome.REPLY, *[ask("10.1.0.1", 80)] * 50)


def test_a_spread_over_two_servers(topology: Topology, responder: MakeResponder, probe: MakeProber) -> None:
    client, router = topology.host("c", gateway="10.0.0.254"), topology.router("r")
    topology.link(client, router, address="10.0.0.1/24", peer_address="10.0.0.254/24")
    servers = [topology.host(f"s{number}", gateway=f"10.{number}.0.254") for number in (1, 2)]
    for number, server in enumerate(servers, 1):
        topology.link(server, router, address=f"10.{number}.0.1/24", peer_address=f"10.{number}.0.254/24")
    topology.start()
    for server in servers:
        responder(server, 80)
    dnat = ["iptables", "-t", "nat", "-A", "PREROUTING", "-d", "10.96.0.1", "-j", "DNAT", "--to-destination"]
    half = ["-m", "statistic", "--mode", "random", "--probability", "0.5"]
    router.run([*dnat[:7], *half, *dnat[7:-1], "--to-destination", "10.1.0.1"])
    router.run([*dnat, "10.2.0.1"])
    spread = probe(client).spread(ask("10.96.0.1", 80), 1000)
    assert spread.total == 1000
    assert 0.4 < spread.share("s1") < 0.6
    assert spread.servers["s1"] + spread.servers["s2"] == 1000


def test_a_connection_stays_open_and_echoes_all_data(routed: Routed) -> None:
    data = bytes(range(256)) * 20_000  # more than all buffers on the path can hold
    with routed.prober.connect("10.1.0.1", 80) as connection, routed.prober.connect("10.1.0.1", 80) as other:
        assert (connection.server, connection.seen) == ("bee", "10.0.0.1")
        assert connection.echo(data) == data
        assert other.echo(b"meanwhile") == b"meanwhile"
        assert connection.echo(b"again") == b"again"
    with pytest.raises(ConnectionRefusedError):
        routed.prober.connect("10.1.0.1", 81)


def test_a_broken_connection_raises_an_error(routed: Routed) -> None:
    with routed.prober.connect("10.1.0.1", 80, timeout_s=0.3) as connection:
        routed.net.cut(routed.right)
        with pytest.raises(TimeoutError, match="0 of 5 bytes came back"):
            connection.echo(b"lost?")
        routed.net.heal(routed.right)
    with routed.prober.connect("10.1.0.1", 80) as connection:
        reject = ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
        routed.router.run(["iptables", "-A", "FORWARD", *reject])
        with pytest.raises(ConnectionError):
            connection.echo(b"refused?")


def test_a_udp_flow_keeps_its_port(routed: Routed) -> None:
    with routed.prober.flow("10.1.0.1", 80) as flow:
        port = flow.socket.getsockname()[1]
        assert {(flow.ask().server, flow.ask().seen) for _ in range(5)} == {("bee", "10.0.0.1")}
        assert flow.socket.getsockname()[1] == port
    with routed.prober.flow("10.1.0.1", 81) as flow, pytest.raises(ConnectionRefusedError):
        flow.ask()


def test_a_namespace_can_be_given_by_pid(routed: Routed, probe: MakeProber) -> None:
    process = routed.a.start(["sleep", "600"])
    probe(process.pid).expect(Outcome.REPLY, tcp("10.1.0.1", 80))
    assert probe(namespaces.of_pid(process.pid)).one(ask("10.1.0.1", 80)).server == "bee"


def test_a_capture_has_all_packets_of_its_block(routed: Routed, tmp_path: Path) -> None:
    path = tmp_path / "b.pcap"
    with Capture(routed.b.where, "eth0", path=path) as capture:
        routed.prober.expect(Outcome.REPLY, *[tcp("10.1.0.1", 80)] * 100)
        routed.prober.expect(Outcome.REFUSED, udp("10.1.0.1", 81))
    summary = capture.summary()
    (requests,) = [flow for flow in summary.services() if flow.destination == "10.1.0.1:80"]
    assert (requests.connections, requests.packets, requests.flags) == (100, 300, "S.R")
    assert "port unreachable: udp 10.0.0.1:" in summary.icmp_errors()[0].note
    assert summary.lost == 0
    packets = list(read(path.read_bytes()))
    assert len(packets) == summary.packets
    assert packets[0][0] <= packets[-1][0]


def test_a_capture_is_bounded(routed: Routed, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with Capture(routed.a.where, "eth0", path=path, snap_bytes=60, most_bytes=2000) as capture:
        routed.prober.expect(Outcome.REPLY, icmp("10.1.0.1", payload=bytes(1000)), *[tcp("10.1.0.1", 80)] * 100)
    assert path.stat().st_size <= 2024
    assert capture.summary().left_out > 0
    assert max(flow.octets for flow in capture.summary().flows if flow.protocol == "icmp") == 1042


def test_loopback_is_captured_once(routed: Routed) -> None:
    with Capture(routed.a.where, "lo") as capture:
        routed.prober.expect(Outcome.REFUSED, tcp("127.0.0.1", 80))
    assert [flow.packets for flow in capture.summary().flows] == [1, 1]


def test_a_missing_interface_is_an_error(routed: Routed) -> None:
    with pytest.raises(NotFound, match="cannot capture on eth7"), Capture(routed.a.where, "eth7"):
        pass


def _sockets() -> set[int]:
    """The descriptors of this process's sockets."""
    descriptors = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(entry.readlink()).startswith("socket:"):
                descriptors.add(int(entry.name))
    return descriptors
