"""fault/container_back_ms and fault/drift_mended_s.

Container back: from a container's death to the start of its successor, by Docker's own times (FinishedAt, StartedAt);
each round measures the first death of a new pod. Drift mended: our chains are flushed, the VTEP is deleted, or a
neighbour entry is removed; the figure is the longest time until the node is as it was. tests/bench/service_faults.py
measures what the clients of a service notice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from statistics import median

import docker

from client.rest import RestClient
from lab.cluster import Cluster
from lab.plugin.clusters import running_cluster
from tests.bench.figure import Figure
from tests.bench.lab import PODS, container_id, create_ready, delete_gone, pod, until
from tests.bench.service_faults import agent_restart_gap, endpoint_gone
from tests.hosts import engine_of

ROUNDS = 5
AUDIT_S = 3.0
"""The default period at which an agent reads its rules."""


def measure() -> Iterator[Figure]:
    with running_cluster(nodes=2) as cluster, cluster.client() as client:
        yield _container_back(cluster, client)
        yield _drift_mended(cluster)
        yield agent_restart_gap(cluster, client)
        yield endpoint_gone(cluster, client)


def _container_back(cluster: Cluster, client: RestClient) -> Figure:
    with engine_of(cluster, "node1") as engine:
        gaps = [_gap(client, engine, f"victim-{number}") for number in range(ROUNDS)]
    return Figure("fault", "container_back_ms", median(gaps), "ms", goal=1000.0)


def _gap(client: RestClient, engine: docker.APIClient, name: str) -> float:
    """Milliseconds from a container's death to the start of its successor."""
    made = create_ready(client, pod(name, "node1"))
    first = container_id(made)
    engine.kill(first)

    def successor() -> str:
        status = client.get(f"{PODS}/{name}")["status"]["containerStatuses"][0]
        running = status["restartCount"] == 1 and "running" in status["state"]
        return str(status["containerID"]).removeprefix("docker://") if running else ""

    second = until(successor, period_s=0.02)
    died = engine.inspect_container(first)["State"]["FinishedAt"]
    started = engine.inspect_container(second)["State"]["StartedAt"]
    delete_gone(client, name)
    return 1e3 * (_moment(started) - _moment(died))


def _moment(docker_time: str) -> float:
    """A time of Docker in seconds since the epoch. Docker writes nanoseconds, Python reads microseconds."""
    return datetime.fromisoformat(docker_time[:26].rstrip("Z") + "+00:00").timestamp()


def _drift_mended(cluster: Cluster) -> Figure:
    def text(*command: str) -> str:
        return cluster.host("node1").run(command, check=False).stdout

    def rules() -> str:
        return "\n".join(line for line in text("iptables-legacy-save").split("\n") if not line.startswith(("#", ":")))

    def neighbours() -> str:
        return "\n".join(sorted(text("ip", "neigh", "show", "dev", "sampan.vxlan", "nud", "permanent").split("\n")))

    def overlay() -> str:
        return neighbours() + text("ip", "route") + text("bridge", "fdb", "show", "dev", "sampan.vxlan")

    peer = neighbours().split()[0]
    harms: list[tuple[Callable[[], str], tuple[str, ...]]] = [
        (rules, ("iptables-legacy", "-t", "nat", "-F")),
        (overlay, ("ip", "link", "delete", "sampan.vxlan")),
        (neighbours, ("ip", "neigh", "del", peer, "dev", "sampan.vxlan")),
    ]
    worst = 0.0
    for look, harm in harms * ROUNDS:
        # The previous repair is still being audited. After a random pause the harm waits for an audit as long as usual.
        time.sleep(random.uniform(AUDIT_S, 2 * AUDIT_S))
        before = look()
        start = time.perf_counter()
        cluster.host("node1").run(harm)
        assert look() != before, harm
        until(lambda look=look, before=before: look() == before, period_s=0.02)
        worst = max(worst, time.perf_counter() - start)
    return Figure("fault", "drift_mended_s", worst, "s", goal=5.0)
