"""`true` in a running container, from connecting until its exit code is known: by the API, and by the engine itself.

Also what the engine alone costs: an exec probe is such a command, so this says how many of them a node can carry.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from statistics import median
from urllib.parse import urlencode

import aiohttp
import docker
import psutil

from client.kubeconfig import Access, load_kubeconfig
from client.rest import RestClient
from client.tls import context_for
from lab.cluster import Cluster
from tests.bench.figure import Figure
from tests.bench.lab import PODS, container_id, create_ready, delete_gone, pod
from tests.hosts import engine_of

ROUNDS = 30
COMMANDS = 100
IDLE_S = 3.0
GOAL = 1.2
_ERROR = 3
"""The channel of the result."""


def measure(cluster: Cluster, client: RestClient, node: str) -> Iterator[Figure]:
    made = create_ready(client, pod("target", node))
    container = container_id(made)
    with engine_of(cluster, node) as engine:
        ours, floor = asyncio.run(_compare(load_kubeconfig(cluster.kubeconfig), engine, container))
        cost_s = _cost_s(engine, container)
    delete_gone(client, "target")
    yield Figure("agent", "exec_ratio", ours / floor, "x", goal=GOAL, floor=1.0)
    yield Figure("agent", "exec_engine_cpu_ms", 1e3 * cost_s, "ms", goal=None)


async def _compare(access: Access, engine: docker.APIClient, container: str) -> tuple[float, float]:
    """The medians of both, which take turns, in seconds."""
    query = urlencode({"command": "true", "stdout": "1", "stderr": "1"})
    address, tls = f"{access.server}{PODS}/target/exec?{query}", context_for(access)
    ours, floor = [], []
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            _by_engine(engine, container)
            floor.append(time.perf_counter() - start)
            start = time.perf_counter()
            async with session.ws_connect(address, protocols=("v5.channel.k8s.io",), ssl=tls) as socket:
                results = [message.data[1:] async for message in socket if message.data[0] == _ERROR]
            ours.append(time.perf_counter() - start)
            assert json.loads(results[0])["status"] == "Success", results
    return median(ours), median(floor)


def _by_engine(engine: docker.APIClient, container: str) -> None:
    made = engine.exec_create(container, ["true"], stdout=True, stderr=True)["Id"]
    engine.exec_start(made)
    assert engine.exec_inspect(made)["ExitCode"] == 0


def _cost_s(engine: docker.APIClient, container: str) -> float:
    """Processor time of one command. Its processes live too short to be measured alone: that of the machine counts."""
    idle = _busy_s()
    time.sleep(IDLE_S)
    idle = (_busy_s() - idle) / IDLE_S
    begin, start = _busy_s(), time.perf_counter()
    for _ in range(COMMANDS):
        _by_engine(engine, container)
    took = time.perf_counter() - start
    return (_busy_s() - begin - idle * took) / COMMANDS


def _busy_s() -> float:
    """Processor time that all programs of the machine have used, and the kernel for them."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
