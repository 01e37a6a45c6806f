"""Topologies with real packets: reachability, faults of links, processes, removal, sweeping after killed runs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hull.owner import sweeping
from netrig.errors import Unsupported
from netrig.plugin.fixtures import MakeProber
from netrig.probe import Outcome, Prober, icmp, tcp, udp
from netrig.topology import Node, Topology, leftovers, sweep
from netstack import namespaces
from tests.doomed import doomed
from tests.kernel.netrig.conftest import Routed

KILLED = """
from netrig.topology import Topology
net = Topology()
net.host("forgotten")
net.start()
net.nodes()[0].start(["sleep", "600"])
print(net.nodes()[0].where, flush=True)
"""


def mtu_of(node: Node, interface: str) -> int:
    return next(link.mtu for link in node.links() if link.name == interface)


def test_packets_go_through_switch_and_router(routed: Routed) -> None:
    routed.prober.expect(Outcome.REPLY, tcp("10.1.0.1", 80), icmp("10.1.0.1"), icmp("10.0.0.254"))
    routed.prober.expect(Outcome.REFUSED, tcp("10.1.0.1", 81), udp("10.1.0.1", 81))


def test_hosts_do_not_forward(routed: Routed) -> None:
    assert routed.a.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"
    assert routed.router.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "1\n"


def test_a_cut_link_is_silent_and_gets_its_routes_back(routed: Routed) -> None:
    for link in (routed.left, routed.right):
        routed.net.cut(link)
        routed.prober.expect(Outcome.SILENCE, icmp("10.1.0.1", timeout_s=0.2))
        routed.net.heal(link)
        routed.prober.eventually(Outcome.REPLY, tcp("10.1.0.1", 80), within_s=3.0)


def test_a_cut_in_one_direction_leaves_the_other_open(routed: Routed) -> None:
    listener = routed.b.open_socket(socket.SOCK_DGRAM)
    with listener:
        listener.bind(("10.1.0.1", 5000))
        listener.settimeout(2.0)
        routed.net.cut(routed.left, toward=routed.a)
        routed.prober.expect(Outcome.SILENCE, udp("10.1.0.1", 5000, payload=b"heard", timeout_s=0.2))
        assert listener.recv(100) == b"heard"
    assert "CUT toward a" in routed.net.report()
    routed.net.heal(routed.left)
    routed.prober.expect(Outcome.REPLY, tcp("10.1.0.1", 80))


@pytest.mark.parametrize("side", ["left", "right"])
def test_loss_applies_to_both_directions(routed: Routed, side: str) -> None:
    link = routed.left if side == "left" else routed.right
    routed.net.set_loss(link, 0.3)
    lost = sum(
        result.outcome is Outcome.SILENCE for result in routed.prober.run([icmp("10.1.0.1", timeout_s=0.5)] * 400)
    )
    assert 0.35 < lost / 400 < 0.67, "of 1 - 0.7 * 0.7 = 51 %"
    assert "-m statistic" in routed.net.report()
    routed.net.set_loss(link, 0.0)
    routed.prober.expect(Outcome.REPLY, *[icmp("10.1.0.1")] * 50)


def test_a_rate_limit_slows_down_and_can_be_removed(routed: Routed) -> None:
    routed.net.set_rate(routed.left, 0.8)  # 100 kB/s, bursts of 3 kB
    big = icmp("10.1.0.1", payload=bytes(1400), timeout_s=3.0)
    slow = max(result.latency_s for result in routed.prober.expect(Outcome.REPLY, *[big] * 8))
    assert slow > 0.05, "eight frames are 11 kB: 0.08 s behind the first burst"
    routed.net.set_rate(routed.left, None)
    routed.prober.expect(Outcome.REPLY, *[big] * 50)


def test_the_mtu_of_a_link_can_shrink(routed: Routed) -> None:
    routed.net.set_mtu(routed.right, 1000)
    assert (mtu_of(routed.b, "eth0"), mtu_of(routed.router, "eth1")) == (1000, 1000)
    large = icmp("10.1.0.1", payload=bytes(1400))
    assert routed.prober.one(large).detail == "fragmentation needed, says 10.0.0.254"
    routed.prober.expect(Outcome.REPLY, large)  # in fragments, as the path MTU is known now


def test_a_switch_drops_too_large_frames_of_a_connection() -> None:
    """Segmentation offload must be off: the packets must have the size that they would have on a wire."""
    with Topology() as net:
        a, b, switch = net.host("a"), net.host("b"), net.switch("s")
        cable = net.link(a, switch, address="10.0.0.1/24")
        net.link(b, switch, address="10.0.0.2/24")
        net.start()
        with a.open_socket(socket.SOCK_STREAM) as listener, b.open_socket(socket.SOCK_STREAM) as sender:
            listener.bind(("10.0.0.1", 5000))
            listener.listen()
            sender.connect(("10.0.0.1", 5000))
            receiver, _ = listener.accept()
            with receiver:
                receiver.settimeout(0.5)
                net.set_mtu(cable, 1000)
                sender.sendall(bytes(50_000))
                with pytest.raises(TimeoutError):
                    receiver.recv(1)
                net.set_mtu(cable, 1500)
                receiver.settimeout(5.0)
                assert receiver.recv(1) == bytes(1)
        Prober(b.where).expect(Outcome.REPLY, icmp("10.0.0.1", payload=bytes(1400)))


def test_packets_are_delayed_or_the_missing_feature_is_named(routed: Routed) -> None:
    try:
        routed.net.set_delay(routed.left, 50)
    except Unsupported as error:
        assert "netem" in str(error)
        return
    (result,) = routed.prober.expect(Outcome.REPLY, icmp("10.1.0.1"))
    assert result.latency_s >= 0.1


def test_nodes_can_be_added_later(routed: Routed, probe: MakeProber) -> None:
    late = routed.net.host("late", gateway="10.2.0.254")
    routed.net.link(late, routed.router, address="10.2.0.1/24", peer_address="10.2.0.254/24")
    routed.net.start()
    probe(late).expect(Outcome.REPLY, tcp("10.1.0.1", 80))


def test_processes_in_a_host_end_with_it() -> None:
    with Topology() as net:
        host = net.host("a")
        net.start()
        ours = host.start(["sleep", "600"])
        orphan = int(host.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]).stdout)
        where = host.where
    assert ours.returncode is not None
    assert not Path(f"/proc/{orphan}/cmdline").exists() or not Path(f"/proc/{orphan}/cmdline").read_bytes()
    assert where not in namespaces.names()


def test_the_report_shows_links_routes_and_addresses(routed: Routed) -> None:
    report = routed.net.report()
    assert "route 0.0.0.0/0 via 10.0.0.254 dev eth0" in report
    assert "link a veth up mtu 1500" in report
    assert "10.1.0.254/24" in report


def test_what_a_killed_run_left_is_swept(topology: Topology) -> None:
    alive = topology.host("alive")
    topology.start()
    with doomed(KILLED) as dead, sweeping():
        dead.kill()
        assert dead.name in leftovers()
        assert dead.name in sweep()
    assert alive.where in namespaces.names()
    assert dead.name not in namespaces.names()
