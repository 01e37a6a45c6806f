"""Misfortunes of a host that is a node: another address, sleep, a lost disk. Handled, or refused with the remedy."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from netrig.plugin import eventually
from tests.machine.bed import Machine
from tests.machine.conftest import BUNDLE
from tests.machine.hosts import Control, load_image, process_of, together

pytestmark = pytest.mark.timeout(300)
MASTER_CONFIG = "/etc/sampan/master.toml"
HEARTBEATS = "heartbeat_s = 0.5\ngrace_s = 3.0\n"
"""Short periods, so that the tests need not wait long."""
POD = "/api/v1/namespaces/default/pods/web"
NODE = "/api/v1/nodes/joiner"


class Cluster(Control):
    """Two nodes; the one on the master's host connects to the other's pod."""

    def __init__(self, master: Machine, node: Machine) -> None:
        super().__init__(master)
        self.node = node

    def start_pod(self) -> None:
        container = {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent"}
        spec = {"nodeName": self.node.name, "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
        self.api("/api/v1/namespaces/default/pods", body=pod)
        eventually(lambda: self.ready(POD) and self.answers(), within_s=60)

    def answers(self) -> bool:
        """Whether the pod is reached from the other node."""
        status = self.api(POD)["status"]
        argv = ("curl", "--silent", "--max-time", "2", "--output", "/dev/null", f"http://{status['podIP']}:8080")
        return self.master.run(*argv, check=False).returncode == 0

    def address(self) -> str:
        """The node's address in the API."""
        status = self.api(NODE)["status"]
        return next(str(entry["address"]) for entry in status["addresses"] if entry["type"] == "InternalIP")

    def containers(self) -> list[str]:
        """Id and start of each container on the node."""
        return sorted(self.node.output("docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.CreatedAt}}").splitlines())


@pytest.fixture(scope="module")
def cluster(pair: tuple[Machine, Machine]) -> Iterator[Cluster]:
    master, node = pair
    made = Cluster(master, node)
    before = master.output("cat", MASTER_CONFIG)
    master.write(MASTER_CONFIG, HEARTBEATS + before + "\n")
    master.run("systemctl", "restart", "sampan-master")
    try:
        together(
            lambda: master.run(f"{BUNDLE}/install", "agent", timeout_s=120),
            lambda: load_image(node),
        )
        words = made.join_words()
        together(lambda: master.run(*words, timeout_s=120), lambda: node.run(*words, timeout_s=120))
        made.start_pod()
        yield made
    finally:
        together(*(lambda each=each: each.run("sampan", "reset", timeout_s=120) for each in pair))
        master.write(MASTER_CONFIG, before + "\n")
        master.run("systemctl", "restart", "sampan-master")


def move(node: Machine, old: str, new: str) -> None:
    """Change the address within the network, as a new DHCP lease does."""
    node.shell(
        f"gateway=$(ip route show default | cut -d' ' -f3); ip address flush dev eth0; "
        f"ip address add {new}/24 dev eth0; ip route add default via $gateway"
    )
    assert f" {old}/" not in node.output("ip", "-4", "address", "show", "eth0")


def test_a_node_that_changes_its_address_is_reached_at_the_new_one(cluster: Cluster) -> None:
    old, before = str(cluster.node.address), cluster.containers()
    new = str(cluster.node.address + 100)
    assert cluster.address() == old
    move(cluster.node, old, new)
    try:
        eventually(lambda: cluster.address() == new and cluster.ready(NODE) and cluster.answers(), within_s=60)
        assert cluster.containers() == before
    finally:
        move(cluster.node, new, old)
    eventually(lambda: cluster.address() == old and cluster.ready(NODE) and cluster.answers(), within_s=60)
    assert cluster.containers() == before


def move_master(cluster: Cluster, old: str, new: str) -> None:
    """The master gets another address, and its nodes join it there; its own host is one of them."""
    move(cluster.master, old, new)
    cluster.master.write(MASTER_CONFIG, cluster.master.output("cat", MASTER_CONFIG).replace(old, new) + "\n")
    cluster.master.run("systemctl", "restart", "sampan-master")
    cluster.forget_access()
    words = cluster.join_words()
    assert words[2] == new
    together(*(lambda each=each: each.run(*words, timeout_s=120) for each in (cluster.master, cluster.node)))


def test_nodes_join_a_master_that_has_moved_at_its_new_address(cluster: Cluster) -> None:
    old, before = str(cluster.master.address), cluster.containers()
    new = str(cluster.master.address + 100)
    try:
        move_master(cluster, old, new)
        assert cluster.node.output("systemctl", "is-enabled", "sampan-agent") == "enabled"
        eventually(lambda: cluster.ready(NODE) and cluster.answers(), within_s=60)
        assert cluster.containers() == before
    finally:
        move_master(cluster, new, old)
    eventually(lambda: cluster.ready(NODE) and cluster.answers(), within_s=60)
    assert cluster.containers() == before


def test_a_host_that_sleeps_is_not_ready_until_it_wakes(cluster: Cluster) -> None:
    before, agent = cluster.containers(), process_of(cluster.node, "agent")
    cluster.node.docker.must("pause", cluster.node.name)
    try:
        eventually(lambda: not cluster.ready(NODE), within_s=30)
        time.sleep(1)
    finally:
        cluster.node.docker.must("unpause", cluster.node.name)
    eventually(lambda: cluster.ready(NODE) and cluster.answers(), within_s=60)
    assert (cluster.containers(), process_of(cluster.node, "agent")) == (before, agent)


def test_a_host_that_lost_its_disk_gets_the_remedy(cluster: Cluster) -> None:
    before = cluster.containers()
    cluster.node.shell("systemctl stop sampan-agent; rm -r /var/lib/sampan; systemctl start sampan-agent", check=False)
    assert cluster.containers() == before
    assert "run `sampan join` first" in cluster.node.journal("sampan-agent")

    words = cluster.join_words()
    refused = cluster.node.run(*words, check=False, timeout_s=120)
    assert refused.returncode == 1
    assert "ERROR   node-name-taken: " in refused.stderr
    assert "→ kubectl delete node joiner, if that machine is gone" in refused.stderr
    cluster.delete(NODE)
    cluster.node.run(*words, timeout_s=120)
    # The containers of the lost node belong to no node now.
    eventually(lambda: not set(before) & set(cluster.containers()), within_s=60)
    cluster.start_pod()
