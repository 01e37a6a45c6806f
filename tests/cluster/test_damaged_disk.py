"""Files are damaged while a master or an agent is down: containers keep running, and no daemon starts empty.

The unit tests (test_damaged_master.py, test_damaged_agent.py) have every file with every damage. These are the cases
that need real containers and a real kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMES_ITSELF
from tests.cluster.manifests import pod
from tests.fakes.damage import DAMAGES
from tests.hosts import engine_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def one_node(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of one node with a running pod."""
    with cluster_pool.lend(nodes=1) as made:
        with made.client() as api:
            api.create(PODS, pod("web", container=NAMES_ITSELF))
        eventually(lambda: address(made))
        yield made


def address(cluster: Cluster) -> str:
    """The pod's address; empty until the pod is ready."""
    with cluster.client() as api:
        status = api.get(f"{PODS}/web")["status"]
    ready = {each["type"]: each["status"] for each in status.get("conditions", ())}.get("Ready")
    return str(status["podIP"]) if ready == "True" else ""


def containers(cluster: Cluster) -> dict[str, str]:
    """The running containers: id → start time."""
    with engine_of(cluster, "node1") as engine:
        ids = [container["Id"] for container in engine.containers()]
        return {id_: engine.inspect_container(id_)["State"]["StartedAt"] for id_ in ids}


def node_is_ready(api: RestClient) -> bool:
    conditions = api.get("/api/v1/nodes/node1")["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def log_since(cluster: Cluster, host: str, before: int) -> str:
    return cluster.log(host).read_bytes()[before:].decode()


@pytest.mark.parametrize("damage", ["noise", "empty", "cut in the middle", "missing"])
def test_an_agent_that_loses_the_desired_state_keeps_containers_and_addresses(one_node: Cluster, damage: str) -> None:
    state = one_node.lab.host_paths("node1").agent_state
    before, had = containers(one_node), address(one_node)
    faults.kill(one_node, "node1")
    claims = list((state / "network" / "addresses" / "claims").iterdir())
    assert claims
    # Claims are damaged only in ways that leave a file: a missing or empty claim does not name its owner any more.
    harmed = [state / "desired.pb", *(claims if damage in ("noise", "cut in the middle") else ())]
    for path in harmed:
        DAMAGES[damage](path)
    size = one_node.log("node1").stat().st_size
    faults.start(one_node, "node1")
    with one_node.client() as api:
        eventually(lambda: "session" in log_since(one_node, "node1", size) and node_is_ready(api))
        eventually(lambda: (state / "desired.pb").is_file() and (state / "desired.pb").stat().st_size > 100)
    assert containers(one_node) == before
    assert address(one_node) == had
    with one_node.client() as api:
        api.create(PODS, pod("second", container=NAMES_ITSELF))
        second = eventually(lambda: api.get(f"{PODS}/second")["status"].get("podIP"))
        assert second != had, "one address, one pod"
        api.delete(f"{PODS}/second")
        eventually(lambda: [each["metadata"]["name"] for each in api.get(PODS)["items"]] == ["web"])


def test_an_agent_with_a_damaged_identity_ends_and_changes_nothing(one_node: Cluster) -> None:
    identity = one_node.lab.host_paths("node1").agent_state / "identity.json"
    good, before = identity.read_bytes(), containers(one_node)
    faults.kill(one_node, "node1")
    DAMAGES["scribbled"](identity)
    size = one_node.log("node1").stat().st_size
    faults.start(one_node, "node1")
    eventually(lambda: one_node.record("node1") is None)
    log = log_since(one_node, "node1", size)
    assert str(identity) in log and "restore it, or delete the Node, remove the file and join again" in log
    assert "Traceback" not in log
    assert containers(one_node) == before
    identity.write_bytes(good)
    faults.start(one_node, "node1")
    with one_node.client() as api:
        eventually(lambda: node_is_ready(api))
    assert containers(one_node) == before


def _start_and_see_it_end(cluster: Cluster) -> str:
    """The log of a master that fails to start."""
    size = cluster.log("master").stat().st_size
    faults.start(cluster, "master")
    eventually(lambda: cluster.record("master") is None)
    return log_since(cluster, "master", size)


def test_a_master_that_lost_acknowledged_commits_refuses_to_start_until_overruled(one_node: Cluster) -> None:
    data: Path = one_node.lab.host_paths("master").master_data
    before = containers(one_node)
    # SQLite uses a log again from its start: after a clean stop, the end of the file is the last commit.
    faults.stop(one_node, "master")
    faults.start(one_node, "master")
    one_node.wait_api()
    with one_node.client() as api:
        api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "last"}, "data": {"a": "b"}})
    faults.kill(one_node, "master")
    wal = data / "store.db-wal"
    wal.write_bytes(wal.read_bytes()[:-100])
    message = _start_and_see_it_end(one_node)
    assert "store.db: the last commits are missing" in message and "store.db-mark" in message
    assert "Traceback" not in message
    (data / "store.db-mark").unlink()
    faults.start(one_node, "master")
    one_node.wait_api()
    with one_node.client() as api:
        eventually(lambda: node_is_ready(api))
    assert eventually(lambda: address(one_node))
    assert containers(one_node) == before


def test_a_master_without_its_store_does_not_start_an_empty_cluster(one_node: Cluster) -> None:
    data: Path = one_node.lab.host_paths("master").master_data
    before = containers(one_node)
    faults.stop(one_node, "master")
    (data / "store.db").rename(data / "elsewhere")
    message = _start_and_see_it_end(one_node)
    assert "store.db: missing, though store.db-mark exists; restore the file from a copy" in message
    (data / "elsewhere").rename(data / "store.db")
    faults.start(one_node, "master")
    one_node.wait_api()
    with one_node.client() as api:
        eventually(lambda: node_is_ready(api))
    assert containers(one_node) == before
