"""`true` in a running container, from connecting until its exit code is known: by the API, and by the engine itself."""

from __future__ import annotations

import asyncio
import json
import time
from statistics import median
from urllib.parse import urlencode

import aiohttp
import docker

from client.kubeconfig import Access, load_kubeconfig
from client.rest import RestClient
from client.tls import context_for
from lab.cluster import Cluster
from tests.bench.figure import Figure
from tests.bench.lab import PODS, container_id, create_ready, delete_gone, pod
from tests.hosts import engine_of

ROUNDS = 30
GOAL = 1.2
_ERROR = 3
"""The channel of the result."""


def round_trip(cluster: Cluster, client: RestClient, node: str) -> Figure:
    made = create_ready(client, pod("target", node))
    container = container_id(made)
    with engine_of(cluster, node) as engine:
        ours, floor = asyncio.run(_compare(load_kubeconfig(cluster.kubeconfig), engine, container))
    delete_gone(client, "target")
    return Figure("agent", "exec_ratio", ours / floor, "x", goal=GOAL, floor=1.0)


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
