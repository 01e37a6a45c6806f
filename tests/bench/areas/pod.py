"""pod/create_to_ready_ratio: a pod from POST to Ready in a watch, against the same two containers by the Docker SDK.

Both alternate on one engine in one run: create and start pause on `none`, create and start the app joined to it.
Neither time includes the removal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import docker

from lab.plugin.clusters import running_cluster
from tests.bench import byhand
from tests.bench.figure import Figure
from tests.bench.lab import create_ready, delete_gone, pod
from tests.hosts import engine_of

ROUNDS = 15


def measure() -> Iterator[Figure]:
    with (
        running_cluster(nodes=1) as cluster,
        cluster.client() as client,
        engine_of(cluster, "node1") as engine,
    ):
        create_ready(client, pod("first", "node1"))
        delete_gone(client, "first")
        ours, floor = [], []
        for number in range(ROUNDS):
            floor.append(_by_hand(engine))
            start = time.perf_counter()
            create_ready(client, pod(f"measured-{number}", "node1"))
            ours.append(time.perf_counter() - start)
            delete_gone(client, f"measured-{number}")
    yield Figure("pod", "create_to_ready_ratio", median(ours) / median(floor), "x", goal=1.5, floor=1.0)
    yield Figure(
        "pod", "create_to_ready_ms", 1e3 * median(ours), "ms", goal=1.5e3 * median(floor), floor=1e3 * median(floor)
    )


def _by_hand(engine: docker.APIClient) -> float:
    """Seconds for both containers, created and started one after the other."""
    start = time.perf_counter()
    sandbox = byhand.sandbox(engine)
    app = byhand.joined(engine, sandbox)
    taken = time.perf_counter() - start
    byhand.remove(engine, app, sandbox)
    return taken
