"""500 containers end and are restarted, and their pods are replaced: the nodes stay Ready. With `--long`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.config import KUBERNETES_PERIODS
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMESPACE
from tests.cluster.exact import items, ready_since
from tests.cluster.manifests import replication_controller, shell
from tests.hosts import engine_of

NODES = ("node1", "node2")
CONTAINERS = 4
"""The containers of a pod, besides its sandbox."""
PODS = 100
CHURN_S = 120.0
PERIOD_S = 0.5

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture
def two_nodes(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Its nodes restart a container that has ended after one second, every time."""
    with cluster_pool.lend(nodes=len(NODES), periods=KUBERNETES_PERIODS) as made:
        for node in NODES:
            path = made.lab.layout.host(node).etc / "agent.toml"
            path.write_text(f"longest_container_backoff_s = 1.0\n{path.read_text()}")
            faults.stop(made, node)
            faults.start(made, node)
        made.wait_nodes()
        yield made


def test_nodes_are_ready_while_many_containers_come_and_go(two_nodes: Cluster) -> None:
    random, seen = Random(15), set[str]()
    with two_nodes.client() as api:
        api.create(f"{NAMESPACE}/replicationcontrollers", many(PODS))
        eventually(lambda: len(containers(api)) >= PODS * CONTAINERS, within_s=600)
        ready, agents = ready_since(items(api, "nodes")), [two_nodes.record(node) for node in NODES]
        assert set(ready) == set(NODES)
        end = time.monotonic() + CHURN_S
        while time.monotonic() < end:
            name = random.choice(items(api, "pods"))["metadata"]["name"]
            api.delete(f"{NAMESPACE}/pods/{name}")
            time.sleep(PERIOD_S)
            seen |= containers(api)
            assert ready_since(items(api, "nodes")) == ready
        print(f"{len(seen)} containers")
        assert len(seen) > 2 * PODS * CONTAINERS
        api.delete(f"{NAMESPACE}/replicationcontrollers/many")
        eventually(lambda: items(api, "pods") == [], within_s=600)
        assert ready_since(items(api, "nodes")) == ready
        assert [two_nodes.record(node) for node in NODES] == agents, "an agent was restarted"
    for node in NODES:
        with engine_of(two_nodes, node) as engine:
            assert engine.containers(all=True) == []


def many(pods: int) -> Any:
    """Pods whose containers end after some seconds each."""
    made = replication_controller("many", pods)
    spec = made["spec"]["template"]["spec"]
    [one] = spec["containers"]
    script = shell("exec sleep $((RANDOM % 20 + 1))")
    spec["containers"] = [{**one, **script, "name": f"c{number}"} for number in range(CONTAINERS)]
    spec["terminationGracePeriodSeconds"] = 0
    return made


def containers(api: RestClient) -> set[str]:
    """The ids of the containers that have run."""
    statuses = [each for pod in items(api, "pods") for each in pod["status"].get("containerStatuses") or ()]
    return {each["containerID"] for each in statuses if each.get("containerID")}
