"""memory/master_mb and memory/agent_10_pods_mb: resident memory with children, idle, 10 pods on node1."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil

from lab.cluster import Cluster
from lab.config import KUBERNETES_PERIODS
from lab.plugin.clusters import running_cluster
from tests.bench.figure import Figure
from tests.bench.lab import create_ready, pod

SETTLE_S = 5.0


def measure() -> Iterator[Figure]:
    with running_cluster(periods=KUBERNETES_PERIODS) as cluster:
        fill(cluster)
        time.sleep(SETTLE_S)
        yield Figure("memory", "master_mb", resident_mb(cluster, "master"), "MB", goal=130.0)
        yield Figure("memory", "agent_10_pods_mb", resident_mb(cluster, "node1"), "MB", goal=90.0)


def fill(cluster: Cluster) -> None:
    """Ten pods on node1, all Ready."""
    with cluster.client() as client:
        for number in range(10):
            create_ready(client, pod(f"idle-{number}", "node1"))


def tree(cluster: Cluster, host: str) -> list[psutil.Process]:
    """The processes of a host's master or agent: itself and its descendants."""
    record = cluster.record(host)
    assert record is not None, f"nothing runs on {host}"
    process = psutil.Process(record.pid)
    return [process, *process.children(recursive=True)]


def resident_mb(cluster: Cluster, host: str) -> float:
    return sum(process.memory_info().rss for process in tree(cluster, host)) / 1e6
