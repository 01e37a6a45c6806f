"""A pod that takes all it can get of its node: processes, log, environment, ports. It harms only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NODE = "node1"
MOST_PROCESSES = 50
BOMB = shell("bomb() { bomb | bomb & }; bomb; exec sleep 1000")


@pytest.fixture(scope="module")
def one_node(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of one node with a small limit of processes."""
    with cluster_pool.lend(nodes=1) as made:
        path = made.lab.layout.host(NODE).etc / "agent.toml"
        before = path.read_text()
        path.write_text(f"container_pids_limit = {MOST_PROCESSES}\n{before}")
        restart(made)
        yield made
        path.write_text(before)
        restart(made)


@pytest.fixture
def kubectl(one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    """With a running pod. Whatever others do, it runs on, the node stays Ready, and the agent the same process."""
    made = kubectl_for(one_node)
    made.create(pod("calm", container=shell("exec sleep 1000")))
    eventually(lambda: phase(made, "calm") == "Running")
    agent, since = one_node.record(NODE), ready_since(one_node)
    yield made
    assert made("get", "pod", "calm", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"
    made("delete", "pod", "--all", "--timeout=60s")
    assert one_node.record(NODE) == agent, "the agent was restarted"
    assert ready_since(one_node) == since


def test_a_fork_bomb_is_stopped_by_the_nodes_limit_and_can_be_deleted(one_node: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("bomb", container=BOMB))
    eventually(lambda: "can't fork" in kubectl("logs", "bomb"))
    assert len(one_node.lab.pids(NODE)) < 2 * MOST_PROCESSES
    kubectl.create(pod("other", container=shell("exec sleep 1000")))
    eventually(lambda: phase(kubectl, "other") == "Running")
    kubectl("delete", "pod", "bomb", "--timeout=20s")


def restart(cluster: Cluster) -> None:
    """Restart the agent with its present settings."""
    faults.stop(cluster, NODE)
    faults.start(cluster, NODE)
    cluster.wait_nodes()


def ready_since(cluster: Cluster) -> list[Any]:
    """Since when the node is Ready."""
    with cluster.client() as api:
        conditions = api.get(f"/api/v1/nodes/{NODE}")["status"]["conditions"]
    return [each["lastTransitionTime"] for each in conditions if (each["type"], each["status"]) == ("Ready", "True")]


def phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")
