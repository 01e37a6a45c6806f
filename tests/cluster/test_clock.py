"""The wall clock of the master or of an agent jumps by one or two hours and back, without any harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from lab.plugin.faults import Faults
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMES_ITSELF, NAMESPACE
from tests.cluster.exact import ready_since
from tests.cluster.manifests import pod, replication_controller, shell
from tests.hosts import engine_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

HOUR_S = 3600.0
SETTLED_S = 8.0
"""Longer than the time until a silent node's pods are evicted."""


@pytest.fixture(scope="module")
def two_nodes(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Pods are evicted seven seconds after their node's last heartbeat. The clocks of master and node1 can be set."""
    with cluster_pool.lend(nodes=2) as made:
        for host in ("master", "node1"):
            faults.set_clock(made, host, 0.0)
        made.wait_api()
        made.wait_nodes()
        yield made


@pytest.fixture
def kubectl(two_nodes: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    """With a pod of its own on node1, and two pods of a controller."""
    made = kubectl_for(two_nodes)
    made.create(
        replication_controller("group", 2, container=NAMES_ITSELF),
        pod("lone", container=NAMES_ITSELF, nodeName="node1"),
    )
    eventually(lambda: [each["status"]["phase"] for each in pods(made)] == ["Running"] * 3)
    yield made
    made("delete", "rc,pod", "--all", "--timeout=60s")


@contextmanager
def one_watch(cluster: Cluster, kubectl: Kubectl) -> Iterator[None]:
    """A watch that is open during the block, and still delivers events after it."""
    names_seen: list[str] = []
    with cluster.client() as client:

        def follow() -> None:
            for event in client.watch(f"{NAMESPACE}/configmaps", timeout_s=60.0):
                # The master's own config map is there too.
                if (name := event.object["metadata"]["name"]) in ("first", "last"):
                    names_seen.append(name)
                if name == "last":
                    return

        thread = threading.Thread(target=follow, name="watch", daemon=True)
        thread.start()
        kubectl("create", "configmap", "first")
        eventually(lambda: names_seen == ["first"])
        yield
        kubectl("create", "configmap", "last")
        thread.join(30.0)
        assert names_seen == ["first", "last"]
        kubectl("delete", "configmap", "first", "last")


@pytest.mark.parametrize("host", ["master", "node1"])
def test_a_jump_evicts_and_restarts_nothing(
    two_nodes: Cluster, kubectl: Kubectl, faults_on: Callable[[Cluster], Faults], host: str, long_run: bool
) -> None:
    """Ahead by an hour, back by two, right again. Without `--long` one jump: the master's back, the node's ahead."""
    bench, before = faults_on(two_nodes), standing(kubectl)
    one = -HOUR_S if host == "master" else HOUR_S
    for jump_s in (HOUR_S, -HOUR_S, 0.0) if long_run else (one,):
        ready = ready_since(kubectl.json("get", "nodes")["items"])
        with one_watch(two_nodes, kubectl):
            bench.set_clock(host, jump_s)
            time.sleep(SETTLED_S)
            assert ready_since(kubectl.json("get", "nodes")["items"]) == ready
            assert standing(kubectl) == before
        if host == "master":
            made = kubectl.json("create", "configmap", "dated")
            kubectl("delete", "configmap", "dated")
            assert abs(seconds_ahead(made["metadata"]["creationTimestamp"]) - jump_s) < 10
        reconnect(two_nodes)
        work_goes_on(two_nodes, kubectl)
        assert standing(kubectl) == before


def test_a_jump_does_not_change_waits_in_progress(
    two_nodes: Cluster, kubectl: Kubectl, faults_on: Callable[[Cluster], Faults]
) -> None:
    """The clock goes back during the grace period of a pod, and during the restart back-off of a container."""
    kubectl.create(
        pod("stubborn", container=shell("trap : TERM; while true; do sleep 1; done"), nodeName="node1"),
        pod("crashing", container=shell("exit 3"), nodeName="node1"),
    )
    eventually(lambda: restarts(kubectl, "crashing") >= 1)
    eventually(lambda: phase(kubectl, "stubborn") == "Running")
    kubectl("delete", "pod", "stubborn", "--grace-period=4", "--wait=false")
    eventually(lambda: "Stopping container" in kubectl("get", "events"))
    count = restarts(kubectl, "crashing")
    faults_on(two_nodes).set_clock("node1", -HOUR_S)
    eventually(lambda: "stubborn" not in names(kubectl), within_s=30)
    eventually(lambda: restarts(kubectl, "crashing") > count, within_s=60)


def work_goes_on(cluster: Cluster, kubectl: Kubectl) -> None:
    """A pod can be created and deleted, and a container that dies is restarted."""
    kubectl.create(pod("brief", container=NAMES_ITSELF, nodeName="node1"))
    eventually(lambda: phase(kubectl, "brief") == "Running")
    container = kubectl.json("get", "pod", "brief")["status"]["containerStatuses"][0]["containerID"]
    with engine_of(cluster, "node1") as engine:
        engine.kill(container.removeprefix("docker://"))
    eventually(lambda: restarts(kubectl, "brief") == 1 and phase(kubectl, "brief") == "Running")
    kubectl("delete", "pod", "brief", "--timeout=30s")


def reconnect(cluster: Cluster) -> None:
    """Restart all daemons: they accept each other's certificates although their clocks differ."""
    for node in ("node1", "node2"):
        faults.kill(cluster, node)
        faults.start(cluster, node)
    faults.kill(cluster, "master")
    faults.start(cluster, "master")
    cluster.wait_api()
    cluster.wait_nodes()


def standing(kubectl: Kubectl) -> dict[str, Any]:
    """The properties of the pods that must not change."""
    properties = {}
    for item in pods(kubectl):
        status = item["status"]
        containers = [(each["containerID"], each["restartCount"]) for each in status["containerStatuses"]]
        properties[item["metadata"]["name"]] = item["metadata"]["uid"], status["phase"], status["podIP"], containers
    return properties


def pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    return list(kubectl.json("get", "pods")["items"])


def names(kubectl: Kubectl) -> list[str]:
    return [each["metadata"]["name"] for each in pods(kubectl)]


def phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")


def restarts(kubectl: Kubectl, name: str) -> int:
    return int(kubectl("get", "pod", name, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") or 0)


def seconds_ahead(stamp: str) -> float:
    return (datetime.fromisoformat(stamp) - datetime.now(UTC)).total_seconds()
