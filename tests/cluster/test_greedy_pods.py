"""A pod that takes all it can get of its node: processes, log, environment, ports. It harms only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import psutil
import pytest

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMESPACE
from tests.cluster.exact import ready_since
from tests.cluster.manifests import pod, shell

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NODE = "node1"
MOST_PROCESSES = 50
BOMB = "bomb() { bomb | bomb & }; bomb; exec sleep 1000"
PODS = f"{NAMESPACE}/pods"


def greedy(name: str, script: str, *, container: dict[str, Any] | None = None, **spec: Any) -> Any:
    """A pod that runs a script, and is killed at once when it is deleted."""
    return pod(name, container={**shell(script), **(container or {})}, terminationGracePeriodSeconds=0, **spec)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "flood_mb" in metafunc.fixturenames:
        metafunc.parametrize("flood_mb", [3000 if metafunc.config.getoption("--long") else 100])


@pytest.fixture(scope="module")
def one_node(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of one node with a small limit of processes, and with a running pod."""
    with cluster_pool.lend(nodes=1) as made, made.client() as api:
        path = made.lab.layout.host(NODE).etc / "agent.toml"
        before = path.read_text()
        path.write_text(f"container_pids_limit = {MOST_PROCESSES}\n{before}")
        restart(made)
        api.create(PODS, greedy("calm", "exec sleep 1000"))
        eventually(lambda: api.get(f"{PODS}/calm")["status"]["phase"] == "Running")
        yield made
        api.delete(f"{PODS}/calm")
        path.write_text(before)
        restart(made)


@pytest.fixture
def kubectl(one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    """Whatever the pods of a test do, another one runs on, the node stays Ready, and the agent the same process."""
    made = kubectl_for(one_node)
    agent, since = one_node.record(NODE), ready_since(made.json("get", "nodes")["items"])
    yield made
    made("delete", "pod", "--field-selector=metadata.name!=calm", "--timeout=60s")
    assert made("get", "pod", "calm", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"
    assert one_node.record(NODE) == agent, "the agent was restarted"
    assert ready_since(made.json("get", "nodes")["items"]) == since


def test_a_fork_bomb_is_stopped_by_the_nodes_limit_and_can_be_deleted(one_node: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(greedy("bomb", BOMB))
    eventually(lambda: "can't fork" in kubectl("logs", "bomb"))
    assert len(one_node.lab.pids(NODE)) < 2 * MOST_PROCESSES
    kubectl.create(greedy("other", "exec sleep 1000"))
    eventually(lambda: phase(kubectl, "other") == "Running")
    kubectl("delete", "pod", "bomb", "--timeout=20s")


def test_a_flood_of_log_fills_neither_the_disk_nor_memory(one_node: Cluster, kubectl: Kubectl, flood_mb: int) -> None:
    """The first client reads some of the log, the other one does not read at all.

    Docker may lose lines for a client that is slower than the rotation of the log, or stop sending it. So the end of
    the log is looked for apart.
    """
    script = f"yes $(printf %0999d 0) | head -c {flood_mb}000000; echo end; exec sleep 1000"
    before = [resident_bytes(one_node, host) for host in ("master", NODE)]
    kubectl.create(greedy("flood", script))
    eventually(lambda: phase(kubectl, "flood") == "Running")
    with kubectl.lines("logs", "-f", "flood") as lines, kubectl.lines("logs", "-f", "flood"):
        assert len(list(islice(lines, 5_000))) == 5_000
        eventually(lambda: kubectl("logs", "--tail=1", "flood") == "end\n", within_s=280)
        grown = [resident_bytes(one_node, host) - bytes_ for host, bytes_ in zip(("master", NODE), before, strict=True)]
    assert max(grown) < 30_000_000
    assert log_bytes(one_node) < 40_000_000


def test_an_environment_that_no_process_can_have_ends_in_the_engines_reason(
    one_node: Cluster, kubectl: Kubectl
) -> None:
    """10 MB of variables, by ten config maps: execve(2) fails with E2BIG."""
    sources = [{"configMapRef": {"name": f"part-{number}"}} for number in range(10)]
    with one_node.client() as api:
        for number in range(10):
            data = {f"K{number}{key}": "x" * 110_000 for key in range(9)}
            api.create(f"{NAMESPACE}/configmaps", {"metadata": {"name": f"part-{number}"}, "data": data})
        kubectl.create(greedy("large", "true", container={"envFrom": sources}))
        ended = eventually(lambda: last_end(kubectl, "large"))
        for number in range(10):
            api.delete(f"{NAMESPACE}/configmaps/part-{number}")
    assert (ended["reason"], ended["exitCode"]) == ("Error", 1)
    assert "argument list too long" in kubectl("logs", "large", "--previous")


def test_a_port_of_the_host_that_is_in_use_is_the_containers_own_failure(one_node: Cluster, kubectl: Kubectl) -> None:
    server = "exec nc -l -p 8080 -e true"
    kubectl.create(greedy("first", server, hostNetwork=True))
    eventually(lambda: phase(kubectl, "first") == "Running")
    kubectl.create(greedy("second", server, hostNetwork=True))
    ended = eventually(lambda: last_end(kubectl, "second"))
    assert (ended["reason"], ended["exitCode"]) == ("Error", 1)
    assert "Address already in use" in kubectl("logs", "second", "--previous")


def last_end(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """How the container's instance before the present one ended; empty: there was none."""
    statuses = kubectl.json("get", "pod", name)["status"].get("containerStatuses") or [{}]
    return dict(statuses[0].get("lastState", {}).get("terminated") or {})


def log_bytes(cluster: Cluster) -> int:
    """What the logs of all containers take on the engine's disk."""
    return sum(path.stat().st_size for path in cluster.lab.host_paths(NODE).engine.rglob("*-json.log*"))


def resident_bytes(cluster: Cluster, host: str) -> int:
    record = cluster.record(host)
    assert record is not None
    return int(psutil.Process(record.pid).memory_info().rss)


def restart(cluster: Cluster) -> None:
    """Restart the agent with its present settings."""
    faults.stop(cluster, NODE)
    faults.start(cluster, NODE)
    cluster.wait_nodes()


def phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")
