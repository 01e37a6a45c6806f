"""Nodes on hosts with a firewall or network managers: the check finds the obstacles, and its remedies help.

Real packets between two machines: pod to pod through the overlay, and from this machine to a node port.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from host.services.snippets import SNIPPETS
from netrig.plugin import eventually
from tests.machine.bed import Machine, MachineBed
from tests.machine.conftest import BUNDLE, IN_MEMORY
from tests.machine.hosts import Control, load_image, together

pytestmark = pytest.mark.timeout(300)
PORT = 8080
_OBJECTS = "/api/v1/namespaces/default"


class Surroundings(Control):
    """A master that is a node as well, and a second node; both installed, neither joined."""

    def __init__(self, boss: Machine, peer: Machine) -> None:
        super().__init__(boss)
        self.boss, self.peer = boss, peer
        self.both = (boss, peer)
        self.node_port = 0

    def on_both(self, script: str) -> None:
        together(*(partial(each.shell, script) for each in self.both))

    def nodes(self) -> None:
        """Join both, with a web server on each and a node port for the second one. Does nothing when called again."""
        if self.node_port:
            return
        words = self.join_words()
        together(*(partial(each.run, *words, timeout_s=120) for each in self.both))
        for node in self.both:
            container = {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent"}
            labels = {"on": node.name}
            spec = {"nodeName": node.name, "containers": [container]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node.name, "labels": labels}, "spec": spec}
            self.api(f"{_OBJECTS}/pods", body=pod)
        ports = {"type": "NodePort", "selector": {"on": self.peer.name}, "ports": [{"port": PORT}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": ports}
        made = self.api(f"{_OBJECTS}/services", body=service)
        for node in self.both:
            eventually(partial(self.ready, f"{_OBJECTS}/pods/{node.name}"), within_s=60)
        self.node_port = made["spec"]["ports"][0]["nodePort"]

    def address(self, node: Machine) -> str:
        pod = self.api(f"{_OBJECTS}/pods/{node.name}")
        return str(pod["status"]["podIP"])

    def pod_reaches(self, node: Machine, address: str) -> bool:
        """Whether the pod on the node gets an answer from this address within two seconds."""
        script = (
            "id=$(docker ps --quiet --filter label=io.sampan.container=main); "
            "pid=$(docker inspect --format '{{.State.Pid}}' $id); "
            f"nsenter --net=/proc/$pid/ns/net curl --silent --max-time 2 --output /dev/null http://{address}:{PORT}"
        )
        return node.shell(script, check=False).returncode == 0

    def outside_reaches(self) -> bool:
        """Whether the node port at the first node's address reaches the second one's pod from a machine outside."""
        try:
            with socket.create_connection((str(self.boss.address), self.node_port), 2) as talk:
                talk.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return talk.recv(10).startswith(b"HTTP/1")
        except OSError:
            return False

    def paths(self) -> list[bool]:
        """Whether the packets get through: pod to pod in both directions, and from outside."""
        to_peer, to_boss = self.address(self.peer), self.address(self.boss)
        reached: dict[int, bool] = {}
        together(
            lambda: reached.update({0: self.pod_reaches(self.boss, to_peer)}),
            lambda: reached.update({1: self.pod_reaches(self.peer, to_boss)}),
            lambda: reached.update({2: self.outside_reaches()}),
        )
        return [reached[number] for number in sorted(reached)]


def findings(machine: Machine, *options: str) -> dict[str, str]:
    """The findings of `sampan check` on the machine: id → remedy."""
    done = machine.run("sampan", "check", "-o", "json", *options, check=False)
    return {each["id"]: each["remedy"] for each in json.loads(done.stdout)}


def apply_remedy(machine: Machine, id_: str, *options: str) -> None:
    """Run the remedy of a finding exactly as the check prints it."""
    machine.shell(findings(machine, *options)[id_])


@pytest.fixture(scope="module")
def hosts(crowded: MachineBed, bundle: Path) -> Iterator[Surroundings]:
    boss, peer = (crowded.add(name, f"--volume={bundle}:{BUNDLE}:ro", *IN_MEMORY) for name in ("boss", "peer"))

    def install(machine: Machine) -> None:
        machine.wait_running()
        if machine is boss:
            machine.run(f"{BUNDLE}/install", "master", timeout_s=120)
        machine.run(f"{BUNDLE}/install", "agent", timeout_s=120)
        load_image(machine)

    try:
        together(lambda: install(boss), lambda: install(peer))
        yield Surroundings(boss, peer)
    finally:
        crowded.remove(boss)
        crowded.remove(peer)


FIREWALLS = {
    "firewalld": ("systemctl start firewalld", "firewall-cmd --reload", "systemctl stop firewalld"),
    "ufw": ("ufw --force enable", "ufw reload", "ufw --force reset"),
}
RULES = {"firewalld": "nft list table inet firewalld", "ufw": "iptables-save -t filter | grep -E '^-A (ufw|INPUT)' "
         "| grep -v SAMPAN"}  # fmt: skip


@pytest.mark.parametrize("firewall", ["firewalld", pytest.param("ufw", marks=pytest.mark.long)])
def test_behind_a_firewall_the_remedies_of_the_check_are_enough(hosts: Surroundings, firewall: str) -> None:
    start, reload, stop = FIREWALLS[firewall]
    hosts.on_both(start)
    try:
        assert firewall in findings(hosts.peer), "the check must report the firewall"
        apply_remedy(hosts.boss, firewall, "--role", "master")
        assert firewall not in findings(hosts.boss, "--role", "master")
        before = hosts.boss.output("sh", "-c", RULES[firewall])
        hosts.nodes()
        assert hosts.paths() == [False, False, False], "the firewall drops nothing, so the finding is wrong"
        assert hosts.boss.output("sh", "-c", RULES[firewall]) == before, "nothing may change the firewall's own rules"

        together(*(partial(apply_remedy, each, firewall) for each in hosts.both))
        assert eventually(lambda: hosts.paths() == [True, True, True], within_s=30)
        assert not {firewall, "vxlan-blocked"} & set(findings(hosts.peer))

        before = hosts.boss.output("sh", "-c", RULES[firewall])
        hosts.on_both(reload)
        assert eventually(lambda: hosts.paths() == [True, True, True], within_s=30)
        assert hosts.boss.output("sh", "-c", RULES[firewall]) == before
    finally:
        hosts.on_both(stop)


GREEDY = """\
printf '[Match]\\nName=eth0\\n[Network]\\nKeepConfiguration=yes\\nAddress={address}/24\\n' > /etc/systemd/network/10-eth0.network
printf '[Match]\\nName=*\\n[Network]\\nAddress=192.0.2.77/32\\n' > /etc/systemd/network/90-all.network
systemctl start systemd-networkd NetworkManager
"""  # noqa: E501
STATES = {
    "NetworkManager": "nmcli --terse --fields DEVICE,STATE device",
    "systemd-networkd": "networkctl --no-legend --no-pager | awk '{print $2 \":\" $5}'",
}


def states_of_links(node: Machine, manager: str) -> set[str]:
    """The states of our links according to the manager."""
    lines = (line.partition(":") for line in node.output("sh", "-c", STATES[manager]).splitlines())
    return {state for link, _, state in lines if link == "sampan.vxlan" or link.startswith("sp")}


def are_unmanaged(node: Machine, manager: str) -> bool:
    return states_of_links(node, manager) == {"unmanaged"}


def are_managed(node: Machine, manager: str) -> bool:
    return bool(states_of_links(node, manager) - {"unmanaged"})


def test_managers_of_the_network_leave_our_links_alone(hosts: Surroundings) -> None:
    peer = hosts.peer
    try:
        peer.shell(GREEDY.format(address=peer.address))
        assert not {"networkmanager", "networkd"} & set(findings(peer))
        hosts.nodes()
        for manager in SNIPPETS:
            eventually(partial(are_unmanaged, peer, manager))
        assert "192.0.2.77" not in peer.output("ip", "address", "show", "sampan.vxlan")
        assert hosts.paths() == [True, True, True]

        # Without our files they manage our links; the check reports this, and its remedies restore the files.
        peer.run("rm", *(each.path for each in SNIPPETS.values()))
        peer.shell("nmcli general reload && networkctl reload")
        for manager in SNIPPETS:
            eventually(partial(are_managed, peer, manager))
        remedies = findings(peer)
        for id_ in ("networkmanager", "networkd"):
            peer.shell(remedies[id_])
        for manager, snippet in SNIPPETS.items():
            assert peer.output("cat", snippet.path) == snippet.content.rstrip()
            eventually(partial(are_unmanaged, peer, manager))
        assert eventually(lambda: hosts.paths() == [True, True, True], within_s=30)
    finally:
        peer.shell("systemctl stop NetworkManager systemd-networkd.socket systemd-networkd")


def test_uninstalling_removes_the_snippets_of_managers(hosts: Surroundings) -> None:
    hosts.peer.run("sampan", "reset", timeout_s=120)
    hosts.peer.run("sampan", "uninstall", "--purge")
    for snippet in SNIPPETS.values():
        assert not hosts.peer.exists(snippet.path)
