"""The lab's faults on bare hosts, each with real packets. For those under a cluster see test_cluster_faults.py."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from hull import processes
from lab import faults
from lab.cluster import Cluster
from lab.errors import LabError, NotFound
from lab.faults import Way
from lab.lab import Lab, delete, in_parallel, leftovers
from lab.plugin.clusters import NAMES
from lab.state import HostState
from lab.wire import Wire
from netrig.capture import read
from netstack import namespaces
from tests.cluster.labcommand import COMMAND, command

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PORT = 7007


class Wired:
    """A lab of hosts without a cluster; sends datagrams between them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cluster = Cluster(lab)

    def address(self, host: str) -> str:
        return str(self.lab.state.host(host).address)

    def socket(self, host: str, kind: socket.SocketKind) -> socket.socket:
        return namespaces.run_in(str(self.lab.layout.host(host).netns), lambda: socket.socket(socket.AF_INET, kind))

    def arrive(self, source: str, target: str, *, count: int = 5, size: int = 100) -> int:
        """How many of `count` datagrams arrive; raises OSError when the source's own kernel refuses one."""
        with self.socket(source, socket.SOCK_DGRAM) as sender, self.socket(target, socket.SOCK_DGRAM) as receiver:
            # A program that another thread starts holds a copy of the socket before this one, until its exec.
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.bind((self.address(target), PORT))
            sender.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER, IP_PMTUDISC_PROBE: whole or not at all
            address, arrived = (self.address(target), PORT), 0
            for number in range(1, count + 1):
                sender.sendto(bytes(size), address)
                if number % 50 == 0:  # the receiver's buffer holds about 250
                    arrived += received(receiver, patience_s=0.05, most=50)
            return arrived + received(receiver, patience_s=0.2, most=count - arrived)

    def seconds_for(self, source: str, target: str, *, size: int) -> float:
        """The seconds that `size` bytes take over TCP."""
        with ExitStack() as stack:
            listener = stack.enter_context(self.socket(target, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.address(target), PORT))
            listener.listen()
            sender = stack.enter_context(self.socket(source, socket.SOCK_STREAM))
            sender.connect((self.address(target), PORT))
            accepted = stack.enter_context(listener.accept()[0])
            accepted.settimeout(30.0)
            started = time.monotonic()
            worker = Thread(target=sender.sendall, args=(bytes(size),))
            worker.start()
            left = size
            while left > 0:
                left -= len(accepted.recv(65536))
            worker.join()
            return time.monotonic() - started


def received(receiver: socket.socket, *, patience_s: float, most: int) -> int:
    """Receive at most `most` datagrams until none arrives for `patience_s`; their number."""
    receiver.settimeout(patience_s)
    for number in range(most):
        try:
            receiver.recv(65536)
        except TimeoutError:
            return number
    return most


@pytest.fixture(scope="module")
def made() -> Iterator[Wired]:
    wired = Wired(Lab(NAMES.new()))
    try:
        wired.lab.create(nodes=2)
        yield wired
    finally:
        delete(wired.lab.name)
        assert list(leftovers(wired.lab.name)) == []


@pytest.fixture
def wired(made: Wired) -> Iterator[Wired]:
    yield made
    for host in made.lab.state.hosts:
        faults.heal(made.cluster, host.name)
    assert [host.faults() for host in made.lab.state.hosts] == [()] * 3
    assert made.arrive("node1", "node2") == made.arrive("node2", "node1") == made.arrive("master", "node1") == 5


PAIRS = [("node1", "node2"), ("node2", "node1"), ("node1", "master"), ("master", "node1"), ("node2", "master")]


class TestCable:
    @pytest.mark.parametrize(
        ("way", "lost"),
        [
            (Way.TO, {("node2", "node1"), ("master", "node1")}),
            (Way.FROM, {("node1", "node2"), ("node1", "master")}),
            (Way.FROM_MASTER, {("node1", "master"), ("master", "node1")}),
            (Way.FROM_PEERS, {("node1", "node2"), ("node2", "node1")}),
        ],
    )
    def test_a_cut_in_one_way_loses_only_those_packets(
        self, wired: Wired, way: Way, lost: set[tuple[str, str]]
    ) -> None:
        for _ in range(2):  # the second changes nothing
            faults.cut(wired.cluster, "node1", way)
            assert wired.lab.state.host("node1").faults() == (f"cut {way}",)
            assert {pair: wired.arrive(*pair) for pair in PAIRS} == {p: 0 if p in lost else 5 for p in PAIRS}

    def test_several_faults_add_up_and_creating_the_lab_again_heals_none(self, wired: Wired) -> None:
        faults.cut(wired.cluster, "node1", Way.FROM_MASTER)
        faults.cut(wired.cluster, "node2", Way.FROM)
        faults.mtu(wired.cluster, "node1", 1400)
        wired.lab.create()
        assert wired.arrive("node1", "master") == 0
        assert wired.arrive("node2", "node1") == 0
        assert wired.arrive("node1", "node2") == 5
        faults.heal(wired.cluster, "node1")
        assert wired.arrive("node1", "master") == 5
        assert wired.arrive("node2", "node1") == 0

    def test_loss_affects_both_directions_of_one_host(self, wired: Wired) -> None:
        faults.loss(wired.cluster, "node1", 30)
        for pair in (("node1", "node2"), ("master", "node1")):
            assert 280 - 80 < wired.arrive(*pair, count=400) < 280 + 80
        assert wired.arrive("node2", "master", count=400) == 400
        faults.loss(wired.cluster, "node1", 100)
        assert wired.arrive("node1", "node2") == 0
        faults.loss(wired.cluster, "node1", 0)
        assert wired.arrive("node1", "node2", count=400) == 400

    @pytest.mark.parametrize("way", [None, Way.TO])
    def test_a_flapping_cable_is_whole_in_the_end(self, wired: Wired, way: Way | None) -> None:
        arrived = set()
        with ThreadPoolExecutor(max_workers=1) as pool:
            flapping = pool.submit(faults.flap, wired.cluster, "node1", for_s=4.0, period_s=1.0, way=way)
            while not flapping.done():
                arrived.add(wired.arrive("node2", "node1", count=1))
            flapping.result()
        assert arrived == {0, 1}
        assert wired.lab.state.host("node1").faults() == ()

    def test_a_rate_holds_in_each_direction(self, wired: Wired) -> None:
        assert wired.seconds_for("node1", "node2", size=1_000_000) < 0.2
        faults.rate(wired.cluster, "node1", 20)  # a megabyte takes 0.4 s
        faults.rate(wired.cluster, "node1", 20)
        for pair in (("node1", "node2"), ("node2", "node1")):
            assert 0.3 < wired.seconds_for(*pair, size=1_000_000) < 1.5
        faults.rate(wired.cluster, "node1", None)
        assert wired.seconds_for("node1", "node2", size=1_000_000) < 0.2

    def test_a_small_mtu_refuses_large_packets_of_the_host_and_drops_those_to_it(self, wired: Wired) -> None:
        assert wired.arrive("node1", "node2", size=1400) == 5
        faults.mtu(wired.cluster, "node1", 1400)
        with pytest.raises(OSError, match="too long") as raised:
            wired.arrive("node1", "node2", size=1400)
        assert raised.value.errno == errno.EMSGSIZE
        assert wired.arrive("node2", "node1", size=1400) == 0
        assert wired.arrive("node2", "node1", size=1300) == 5
        assert wired.arrive("node2", "master", size=1400) == 5

    def test_a_host_does_not_see_the_rules(self, wired: Wired) -> None:
        faults.cut(wired.cluster, "node1", Way.TO)
        faults.loss(wired.cluster, "node1", 10)
        tables = namespaces.run_in(
            str(wired.lab.layout.host("node1").netns),
            Path("/proc/thread-self/net/ip_tables_names").read_text,
        )
        assert tables == ""

    def test_a_reboot_makes_a_new_network_and_does_not_heal_the_cable(self, wired: Wired) -> None:
        netns = str(wired.lab.layout.host("node1").netns)
        # Not the inode: the kernel may give the number of a removed namespace to the next one.
        marked = ["ip", "-n", Path(netns).name, "address", "add", "127.0.0.77/32", "dev", "lo"]
        subprocess.run(marked, check=True)
        log = wired.lab.layout.host("node1").logs / "sleep.log"
        sleeper = processes.start(["sleep", "600"], log=log, env=dict(os.environ), netns=Path(netns))
        faults.cut(wired.cluster, "node1", Way.FROM_MASTER)
        faults.reboot(wired.cluster, "node1")
        assert not processes.alive(sleeper)
        assert log.exists()
        shown = ["ip", "-n", Path(netns).name, "address", "show", "dev", "lo"]
        assert "127.0.0.77" not in subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        assert wired.arrive("node1", "master") == 0
        assert wired.arrive("node2", "node1") == 5

    def test_all_hosts_reboot_at_once(self, wired: Wired) -> None:
        in_parallel(["master", "node1", "node2"], lambda host: faults.reboot(wired.cluster, host))
        assert {pair: wired.arrive(*pair) for pair in PAIRS} == dict.fromkeys(PAIRS, 5)

    def test_impossible_faults_are_refused_and_change_nothing(self, wired: Wired) -> None:
        attempts: list[tuple[Callable[[], None], type[LabError], str]] = [
            (lambda: faults.loss(wired.cluster, "node1", 101), LabError, "not between 0 and 100"),
            (lambda: faults.rate(wired.cluster, "node1", -1), LabError, "not between"),
            (lambda: faults.mtu(wired.cluster, "node1", 20), LabError, "not between 576"),
            (lambda: faults.cut(wired.cluster, "master", Way.FROM_MASTER), LabError, "is the master"),
            (lambda: faults.loss(wired.cluster, "node9", 1), NotFound, "no host"),
            (lambda: faults.reboot(wired.cluster, "node9"), NotFound, "no host"),
        ]
        for attempt, kind, message in attempts:
            with pytest.raises(kind, match=message):
                attempt()
        assert wired.lab.state.host("node1").wire == Wire()

    def test_heal_also_undoes_unrecorded_faults(self, wired: Wired) -> None:
        """A command may be killed after it has changed the kernel and before it writes the record."""
        faults.cut(wired.cluster, "node1", Way.TO)
        faults.mtu(wired.cluster, "node1", 1400)

        def forget(host: HostState) -> HostState:
            return replace(host, wire=Wire())

        wired.lab.file.update_host("node1", forget)
        faults.heal(wired.cluster, "node1")
        assert wired.arrive("node2", "node1", size=1400) == 5


def test_the_commands_of_a_lab_without_a_cluster() -> None:
    name = NAMES.new()

    def sampan(*words: str) -> str:
        done = subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, timeout=60, env={**os.environ, "SAMPAN_LAB": name}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    try:
        sampan("create", "--nodes", "1")
        assert "keeps its number of nodes, 1" in sampan("create", "--nodes", "2")
        assert name in sampan("list").split()
        assert name in [lab["name"] for lab in json.loads(sampan("list", "-o", "json"))]
        sampan("cut", "node1", "--peer", "master")
        sampan("loss", "node1", "5%")
        sampan("reboot", "node1")
        listed = {host["name"]: host["faults"] for host in json.loads(sampan("hosts", "-o", "json"))}
        assert listed == {"master": [], "node1": ["cut from-master", "loss 5 %"]}
        assert "eth0" in sampan("exec", "node1", "--", "ip", "-br", "link")
        sampan("heal", "node1")
        assert "cut" not in sampan("hosts")
        sampan("delete")
        assert f"there is no lab {name}" in sampan("delete")
    finally:
        delete(name)
    assert list(leftovers(name)) == []


class TestCommand:
    """The actions of `sampan lab` that call a library: probes, captures and disks."""

    def test_probe(self, wired: Wired) -> None:
        done = command(wired.lab, "probe", "node1", "icmp", wired.address("node2"))
        assert (done.returncode, done.stdout.partition(" after ")[0]) == (
            0, f"node1 → {wired.address('node2')}/icmp: reply"
        )  # fmt: skip
        refused = command(wired.lab, "probe", "node1", "tcp", wired.address("node2"), "81", "-o", "json")
        assert (refused.returncode, json.loads(refused.stdout)["outcome"]) == (1, "refused")
        faults.cut(wired.cluster, "node2", Way.TO)
        silent = command(wired.lab, "probe", "node1", "udp", wired.address("node2"), "53", "--timeout", "0.2")
        _, _, waited = silent.stdout.partition(": silence after ")
        # A busy machine wakes the probe later.
        assert silent.returncode == 1 and float(waited.split(" ")[0]) >= 0.2, silent.stdout

    def test_capture(self, wired: Wired, tmp_path: Path) -> None:
        argv = [*COMMAND, "capture", "node2", "eth0", "--file", str(tmp_path / "a.pcap"), "--lab", wired.lab.name]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None and process.stdout is not None
            assert process.stderr.readline() == "capturing eth0 of node2; Ctrl-C ends it\n"
            assert wired.arrive("node1", "node2", count=3) == 3
            process.send_signal(signal.SIGINT)
            summary = process.stdout.read()
        assert process.returncode == 0
        assert (
            f"udp {wired.address('node1')}:" in summary and f"> {wired.address('node2')}:{PORT}: 3 packets" in summary
        )
        packets = list(read((tmp_path / "a.pcap").read_bytes()))
        assert len(packets) >= 3
        assert command(wired.lab, "capture", "node2", "eth7").returncode == 3

    def test_disk(self, wired: Wired) -> None:
        file = wired.lab.host_paths("node1").agent_state / "file"
        assert command(wired.lab, "disk", "node1", "fill").returncode == 1  # this is the disk of the real machine
        assert command(wired.lab, "disk", "node1", "limit", "1M").returncode == 0
        assert command(wired.lab, "disk", "node1", "fill").returncode == 0
        with pytest.raises(OSError) as raised:
            file.write_bytes(bytes(100_000))
        assert raised.value.errno == errno.ENOSPC
        assert command(wired.lab, "disk", "node1", "heal").returncode == 0
        file.write_bytes(bytes(100_000))
