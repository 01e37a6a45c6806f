"""From a change of a config map to the file of a running pod that has it."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from client.rest import RestClient
from lab.cluster import Cluster
from tests.bench.figure import Figure, p99
from tests.bench.lab import create_ready, delete_gone, pod, until

CHANGES = 30
GOAL_S = 2.0
MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(cluster: Cluster, client: RestClient, node: str) -> Figure:
    """The 99th percentile."""
    made = client.create(MAPS, {"metadata": {"name": "watched"}, "data": {"key": "first"}})
    document = pod("reader", node)
    document["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "watched"}}]
    document["spec"]["containers"][0]["volumeMounts"] = [{"name": "config", "mountPath": "/config"}]
    uid = create_ready(client, document)["metadata"]["uid"]
    file = cluster.lab.host_paths(node).agent_state / "pods" / uid / "volumes" / "config" / "key"
    assert file.read_text() == "first"
    times = []
    for number in range(CHANGES):
        made["data"]["key"] = value = f"value {number}"
        made = client.replace(f"{MAPS}/watched", made)
        start = time.perf_counter()
        until(partial(_has, file, value))
        times.append(time.perf_counter() - start)
    delete_gone(client, "reader")
    client.delete(f"{MAPS}/watched")
    return Figure("agent", "config_map_p99_s", p99(times), "s", goal=GOAL_S)


def _has(file: Path, value: str) -> bool:
    return file.read_text() == value
