"""A node with 100 pods: how long they take to start, what their agent needs, and how fast it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker

from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from tests.bench import byhand
from tests.bench.areas.cpu import seconds
from tests.bench.areas.memory import SETTLE_S, resident_mb, summed_mb
from tests.bench.figure import Figure
from tests.bench.lab import PODS, pod, ready, until
from tests.hosts import engine_of

COUNT = 100
CONCURRENCIES = (2, 4, 8)
WINDOW_S = 30.0
SELECTOR = {"labelSelector": "app=hundred"}
TIMEOUT_S = 300.0


def measure(cluster: Cluster, client: RestClient, node: str) -> Iterator[Figure]:
    with engine_of(cluster, node) as engine:
        floor = min(_by_hand(cluster, engine, node, workers) for workers in CONCURRENCIES)
    taken = _create(client, node)
    yield Figure("agent", "hundred_ready_ratio", taken / floor, "x", goal=1.15, floor=1.0)
    time.sleep(SETTLE_S)
    before = seconds(cluster, node)
    time.sleep(WINDOW_S)
    yield Figure("agent", "cpu_100_pods_pct", 100 * (seconds(cluster, node) - before) / WINDOW_S, "%", goal=5.0)
    yield Figure("agent", "memory_100_pods_mb", resident_mb(cluster, node), "MB", goal=100.0)
    yield Figure("agent", "memory_summed_100_pods_mb", summed_mb(cluster, node), "MB", goal=None)
    yield from _restart(cluster, node)
    for number in range(COUNT):
        client.delete(f"{PODS}/hundred-{number}")
    until(lambda: not client.get(PODS, SELECTOR)["items"], timeout_s=TIMEOUT_S, period_s=0.2)


def _create(client: RestClient, node: str) -> float:
    """Seconds until all are Ready, after as many creates at once as the API gets from 8 clients."""
    documents = [_probed(f"hundred-{number}", node) for number in range(COUNT)]
    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda document: client.create(PODS, document), documents))
    until(lambda: sum(map(ready, client.get(PODS, SELECTOR)["items"])) == COUNT, timeout_s=TIMEOUT_S, period_s=0.1)
    return time.perf_counter() - start


def _probed(name: str, node: str) -> dict[str, Any]:
    """A pod that is probed every second by HTTP; it is Ready without an answer."""
    document = pod(name, node, labels={"app": "hundred"})
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 100, "timeoutSeconds": 5}
    document["spec"]["containers"][0]["livenessProbe"] = probe
    return document


def _by_hand(cluster: Cluster, engine: docker.APIClient, node: str, workers: int) -> float:
    """Seconds for the same containers, by that many threads."""

    def two(_: int) -> tuple[str, str]:
        with engine_of(cluster, node) as own:
            sandbox = byhand.sandbox(own)
            return byhand.joined(own, sandbox), sandbox

    with ThreadPoolExecutor(workers) as pool:
        start = time.perf_counter()
        made = list(pool.map(two, range(COUNT)))
        taken = time.perf_counter() - start
    byhand.remove(engine, *(container for pair in made for container in pair))
    return taken


def _restart(cluster: Cluster, node: str) -> Iterator[Figure]:
    faults.kill(cluster, node)
    log = cluster.log(node)
    read_from = log.stat().st_size

    def has(text: str) -> bool:
        with log.open() as file:
            file.seek(read_from)
            return text in file.read()

    start = time.perf_counter()
    faults.start(cluster, node)
    until(lambda: has(" with the master"))
    in_session_s = time.perf_counter() - start
    until(lambda: has(f"the master has the statuses of {COUNT} pods"))
    adopted_s = time.perf_counter() - start
    yield Figure("agent", "restart_session_s", in_session_s, "s", goal=1.0)
    yield Figure("agent", "restart_adopted_s", adopted_s, "s", goal=3.0)
