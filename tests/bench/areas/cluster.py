"""cluster/first_reply_s and cluster/up_again_s.

First reply: hosts, engines and registry are up, master and agents have no state. The clock runs from the start of the
master's process, over joins and applying tomcat-rc.yaml and its Service, to the first HTTP 200 through the cluster IP,
fetched on a node that does not run the pod. Up again: `./sampan up` when everything is in place.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from client.apply import apply
from client.discovery import Discovery
from client.errors import ClientError
from client.manifest import read
from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.plugin.clusters import NAMES, prepared_cluster
from tests.bench.figure import Figure
from tests.bench.lab import EXAMPLES, PODS, ROOT, until
from tests.hosts import engine_of
from tests.probe import answers

ROUNDS = 3


def measure() -> Iterator[Figure]:
    with prepared_cluster() as cluster:
        times = []
        for _ in range(ROUNDS):
            times.append(_first_reply(cluster))
            _forget(cluster)
    yield Figure("cluster", "first_reply_s", median(times), "s", goal=4.0)
    yield Figure("cluster", "up_again_s", _up_again(), "s", goal=3.0)


def _first_reply(cluster: Cluster) -> float:
    start = time.perf_counter()
    cluster.start()
    cluster.wait_api()
    with cluster.client() as client:
        discovery = Discovery(client)
        for manifest in [*read(EXAMPLES / "tomcat-rc.yaml"), *read(EXAMPLES / "tomcat.yaml")]:
            if manifest.document["kind"] != "Deployment":
                apply(client, discovery, manifest.document)
        service = client.get("/api/v1/namespaces/default/services/tomcat-service")
        placed = until(lambda: _placed(client))
        elsewhere = next(host.name for host in cluster.lab.state.nodes if host.name != placed)
        until(lambda: answers(cluster, elsewhere, service["spec"]["clusterIP"], 8080))
    return time.perf_counter() - start


def _placed(client: RestClient) -> str:
    """The node of the frontend pod, once it has one."""
    try:
        pods: list[dict[str, Any]] = client.get(PODS, {"labelSelector": "tier=frontend"})["items"]
    except ClientError:
        return ""
    return next((pod["spec"].get("nodeName", "") for pod in pods), "")


def _forget(cluster: Cluster) -> None:
    """Restore the state before the master's first start: no containers, no state, no links and rules of the agents."""
    for host in cluster.lab.state.hosts:
        faults.stop(cluster, host.name)
    for node in cluster.lab.state.nodes:
        paths = cluster.lab.host_paths(node.name)
        with engine_of(cluster, node.name) as engine:
            for container in engine.containers(all=True):
                engine.remove_container(container["Id"], force=True, v=True)
        shutil.rmtree(paths.agent_state, ignore_errors=True)
        # Has the hash of the old master's certificate authority.
        (paths.etc / "join-token").unlink()
        cluster.host(node.name).run(["sh", "-c", _FORGET_NETWORK], check=False)
    shutil.rmtree(cluster.lab.host_paths("master").master_data, ignore_errors=True)


_FORGET_NETWORK = """
for link in $(ip -o link show | sed -n 's/^[0-9]*: \\(sp[0-9a-z]*\\|sampan[^:@]*\\)[:@].*/\\1/p'); do
    ip link delete "$link"
done
for table in nat filter mangle; do iptables-legacy -t $table -F; iptables-legacy -t $table -X; done
"""


def _up_again() -> float:
    command = [str(ROOT / "sampan"), "up", "--lab", NAMES.new()]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
    finally:
        subprocess.run([command[0], "down", *command[2:]], check=True, stdout=subprocess.DEVNULL)
    return median(times)
