"""fault/agent_restart_gap_ms and fault/endpoint_gone_ms: what clients of a cluster IP notice of a fault.

The gap: a thousand new connections are opened on a node while its agent is killed and started again. The figure is the
total time of those that failed, which is 0 if none did. Endpoint gone: one of a service's two pods dies by SIGKILL. The
figure is the time until no node sends it new connections any more, as the 99th percentile of fifty deaths. A responder
in the pod's network outlives the container. So late connections are counted, and a full backlog of a server is not
mistaken for a death.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from netrig.probe import Outcome, Prober, Responder, ask, tcp
from tests.bench.figure import Figure, p99
from tests.bench.lab import PODS, container_id, create_ready, delete_gone, pod, until
from tests.hosts import engine_of

CONNECTIONS = 1000
PACE_S = 0.004
DEATHS = 50
PROBES_A_LOOK = 12
"""By chance all of them go to the other one of two pods once in 4096 looks."""
LOOK_PERIOD_S = 0.01


def agent_restart_gap(cluster: Cluster, client: RestClient) -> Figure:
    """Connections from node1's network to a pod on node2, while node1's agent dies and comes back."""
    create_ready(client, pod("server", "node2", labels={"app": "gap"}))
    address = _service(client, "gap")
    prober = Prober(cluster.host("node1").where)
    prober.eventually(Outcome.REPLY, tcp(address, 80), within_s=10.0)
    restarted = threading.Timer(CONNECTIONS * PACE_S / 4, _restart, (cluster, "node1"))
    restarted.start()
    failed = 0.0
    for _ in range(CONNECTIONS):
        begin = time.perf_counter()
        if prober.one(tcp(address, 80, timeout_s=0.5)).outcome is not Outcome.REPLY:
            failed += time.perf_counter() - begin
        time.sleep(max(0.0, PACE_S - (time.perf_counter() - begin)))
    restarted.join()
    assert cluster.record("node1") is not None
    delete_gone(client, "server")
    return Figure("fault", "agent_restart_gap_ms", 1e3 * failed, "ms", goal=0.0)


def endpoint_gone(cluster: Cluster, client: RestClient) -> Figure:
    nodes = [node.name for node in cluster.lab.state.nodes]
    create_ready(client, _idle("keeper", nodes[0]))
    address = _service(client, "gone")
    probers = [Prober(cluster.host(name).where) for name in nodes]
    with Responder(cluster.pod("default", "keeper"), name="keeper", port=8080):
        times = [_death(cluster, client, nodes[number % len(nodes)], probers, address) for number in range(DEATHS)]
    delete_gone(client, "keeper")
    return Figure("fault", "endpoint_gone_ms", 1e3 * p99(times), "ms", goal=1000.0)


def _death(cluster: Cluster, client: RestClient, node: str, probers: Sequence[Prober], address: str) -> float:
    """Seconds from a pod's death to the start of the last connection, from any node, that was sent to it."""
    made = create_ready(client, _idle("victim", node))
    container = container_id(made)
    ended = threading.Event()
    with (
        Responder(cluster.pod("default", "victim"), name="victim", port=8080),
        ThreadPoolExecutor(len(probers)) as pool,
        engine_of(cluster, node) as engine,
    ):
        for prober in probers:
            until(lambda prober=prober: "victim" in prober.spread(ask(address, 80), 4).servers, period_s=0.02)
        watches = [pool.submit(_last_sent, prober, address, ended) for prober in probers]
        time.sleep(0.05)
        killed = time.perf_counter()
        engine.kill(container)
        until(lambda: _phase(client, "victim") == "Failed", period_s=0.02)
        time.sleep(0.5)
        ended.set()
        last = max(watch.result() for watch in watches)
    delete_gone(client, "victim")
    return max(0.0, last - killed)


def _last_sent(prober: Prober, address: str, ended: threading.Event) -> float:
    """The start of the last look in which a connection reached the victim. Ends when none does after `ended`."""
    last, reached = 0.0, False
    while reached or not ended.is_set():
        begin = time.perf_counter()
        servers = prober.spread(ask(address, 80, timeout_s=0.3), PROBES_A_LOOK).servers
        reached = servers.get("keeper", 0) < PROBES_A_LOOK
        last = begin if reached else last
        time.sleep(LOOK_PERIOD_S)
    return last


def _idle(name: str, node: str) -> dict[str, Any]:
    """A pod that is not restarted and has no server of its own."""
    document = pod(name, node, labels={"app": "gone"})
    document["spec"]["restartPolicy"] = "Never"
    document["spec"]["containers"][0]["command"] = ["/bin/sh", "-c", "exec sleep 3600"]
    return document


def _phase(client: RestClient, name: str) -> str:
    return str(client.get(f"{PODS}/{name}")["status"].get("phase", ""))


def _service(client: RestClient, app: str) -> str:
    """The cluster IP of a new service in front of the pods with the label app=`app`."""
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}, "spec": spec}
    return str(client.create("/api/v1/namespaces/default/services", document)["spec"]["clusterIP"])


def _restart(cluster: Cluster, node: str) -> None:
    faults.kill(cluster, node)
    faults.start(cluster, node)
