"""Faults of a lab's hosts under a running cluster of two nodes: what becomes of nodes and pods."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.config import Periods
from lab.faults import Way
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.labcommand import COMMAND, command
from tests.cluster.manifests import pod, shell

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

ECHO = shell("exec nc -ll -p 8080 -e cat")


@pytest.fixture(scope="module")
def small(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of two nodes, whose pods are not evicted while a fault lasts."""
    with cluster_pool.lend(nodes=2, periods=Periods(heartbeat_s=0.5, grace_s=3.0, eviction_s=300.0)) as made:
        yield made


class TestCluster:
    def test_a_node_cut_off_from_its_peers_is_ready_and_its_pods_are_isolated(
        self, small: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
    ) -> None:
        kubectl = kubectl_for(small)
        address = echo_on(kubectl, "node2", "lonely")
        eventually(lambda: echoes(small, "node1", address))
        faults.cut(small, "node1", Way.FROM_PEERS)
        assert not echoes(small, "node1", address)
        kubectl.create(pod("still", nodeName="node1"))
        eventually(lambda: phase(kubectl, "still") == "Running")
        assert ready(kubectl, "node1") == "True"
        faults.heal(small, "node1")
        eventually(lambda: echoes(small, "node1", address))
        kubectl("delete", "pod", "lonely", "still")

    def test_a_node_cut_off_from_the_master_is_unknown_and_serves_its_peers(
        self, small: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
    ) -> None:
        kubectl = kubectl_for(small)
        address = echo_on(kubectl, "node1", "serves")
        faults.cut(small, "node1", Way.FROM_MASTER)
        small.wait_nodes()  # does not wait for a node that is cut off
        eventually(lambda: ready(kubectl, "node1") == "Unknown")
        assert echoes(small, "node2", address)
        faults.heal(small, "node1")
        eventually(lambda: ready(kubectl, "node1") == "True")
        assert restarts(kubectl, "serves") == "0"
        kubectl("delete", "pod", "serves")

    def test_heal_resumes_paused_processes(self, small: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> None:
        kubectl = kubectl_for(small)
        faults.pause(small, "node1")
        faults.pause(small, "node1", "engine")
        eventually(lambda: ready(kubectl, "node1") == "Unknown")
        faults.heal(small, "node1")
        eventually(lambda: ready(kubectl, "node1") == "True")

    @pytest.mark.parametrize("master", ["away", "there"])
    def test_a_rebooted_node_restarts_its_pods(
        self, small: Cluster, kubectl_for: Callable[[Cluster], Kubectl], master: str
    ) -> None:
        kubectl = kubectl_for(small)
        address = echo_on(kubectl, "node1", "boots")
        uid = kubectl("get", "pod", "boots", "-o", "jsonpath={.metadata.uid}")
        before = set(small.lab.pids("node1"))
        if master == "away":
            faults.kill(small, "master")
        faults.reboot(small, "node1")
        assert not before & set(small.lab.pids("node1"))
        eventually(lambda: echoes(small, "node2", address), within_s=60)
        faults.start(small, "master")
        small.wait_api()
        small.wait_nodes()
        eventually(lambda: restarts(kubectl, "boots") == "1")
        assert kubectl("get", "pod", "boots", "-o", "jsonpath={.metadata.uid}") == uid
        eventually(lambda: echoes(small, "node2", address))
        kubectl("delete", "pod", "boots")

    def test_a_rebooted_master_keeps_everything(
        self, small: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
    ) -> None:
        kubectl = kubectl_for(small)
        kubectl("create", "configmap", "kept", "--from-literal=a=b")
        faults.reboot(small, "master")
        small.wait_api()
        small.wait_nodes()
        assert kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"
        eventually(lambda: ready(kubectl, "node1") == ready(kubectl, "node2") == "True")
        kubectl("delete", "configmap", "kept")

    def test_the_commands_for_clocks_and_logs(self, small: Cluster) -> None:
        def hours_ahead() -> float:
            """How far the timestamp of the agent's last log line is ahead of our clock."""
            (line,) = command(small.lab, "logs", "node1", "--tail", "1").stdout.splitlines()
            return round((datetime.fromisoformat(line.split()[0]) - datetime.now()).total_seconds() / 3600, 1)

        for offset, hours in (("+2h", 2.0), ("-30m", -0.5), ("heal", 0.0)):
            assert command(small.lab, "clock", "node1", offset).returncode == 0
            faults.kill(small, "node1")
            faults.start(small, "node1")
            eventually(lambda hours=hours: hours_ahead() == hours)
        engine = command(small.lab, "logs", "node1", "engine").stdout
        assert "==> " in engine and "dockerd.log" in engine
        follow = [*COMMAND, "logs", "node1", "-f", "--tail", "1", "--lab", small.lab.name]
        with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.terminate()


def echo_on(kubectl: Kubectl, node: str, name: str) -> str:
    """The address of a new pod that echoes what it receives."""
    kubectl.create(pod(name, container=ECHO, nodeName=node))
    eventually(lambda: phase(kubectl, name) == "Running")
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}")


def echoes(cluster: Cluster, host: str, address: str) -> bool:
    try:
        with cluster.host(host).call(lambda: socket.create_connection((address, 8080), timeout=1.0)) as stream:
            stream.sendall(b"there?")
            return stream.recv(64) == b"there?"
    except OSError:
        return False


def phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")


def restarts(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.containerStatuses[0].restartCount}")


def ready(kubectl: Kubectl, node: str) -> str:
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return kubectl("get", "node", node, "-o", f"jsonpath={path}")
