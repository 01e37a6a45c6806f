"""The area `agent`: a node with 100 pods, and what its agent adds to the time of the engine's own calls.

One lab node with an engine of its own, default periods, one run. The floors use the same engine, next to the figure
that they belong to. Times are medians unless a name says otherwise.

- `create_to_ready_ratio`: as the area `pod`, with the goal that the newest kubelet sets.
- `hundred_ready_ratio`: 100 pods created at once until all are Ready, divided by the time for 200 raw containers, a
  sandbox and one that joins it each, at the best of several concurrencies (hundred.py).
- `memory_100_pods_mb`, `cpu_100_pods_pct`: resident memory of the agent with its children, and processor time in
  percent of one core, with 100 pods that each have an HTTP probe every second (hundred.py). A page that the agent and
  its process of DNS share counts once; in `memory_summed_100_pods_mb` it counts twice.
- `restart_session_s`, `restart_adopted_s`: from the start of the agent's process, with these pods, to its session,
  which begins with a heartbeat, and until the master has the statuses of all pods (hundred.py).
- `restart_ratio`, `restart_own_ms`: from a container's death to its successor's start by the engine's events, divided
  by the same of a loop that follows the events and uses the SDK; and the difference (restarts.py).
- `config_map_p99_s`: from the response to a change of a config map until the file in a running pod has it (files.py).
- `exec_ratio`: `true` in a container by a websocket of the API, divided by the engine's own exec.
  `exec_engine_cpu_ms`: processor time of the machine for one such command of the engine alone, which is what an exec
  probe costs (commands.py).
- `cp_from_ratio`, `cp_to_ratio`: 100 MB by `kubectl cp` from a container and into one, divided by `docker cp`
  (copies.py).
- `portforward_from_ratio`, `portforward_to_ratio`: bytes per second from a port of a pod and to it, by a websocket of
  the API, divided by those of a bare relay over the same hops (forwarding.py, relay.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.config import KUBERNETES_PERIODS
from lab.plugin.clusters import running_cluster
from tests.bench.areas import pod
from tests.bench.areas.agent import commands, copies, files, forwarding, hundred, restarts
from tests.bench.figure import Figure

NODE = "node1"


def measure() -> Iterator[Figure]:
    with running_cluster(nodes=1, periods=KUBERNETES_PERIODS) as cluster, cluster.client() as client:
        yield from restarts.measure(cluster, client, NODE)
        yield files.config_map(cluster, client, NODE)
        yield from commands.measure(cluster, client, NODE)
        yield from copies.measure(cluster, client, NODE)
        yield from forwarding.measure(cluster, client, NODE)
        yield from hundred.measure(cluster, client, NODE)
    ratio = next(figure for figure in pod.measure() if figure.name == "create_to_ready_ratio")
    yield Figure("agent", ratio.name, ratio.value, ratio.unit, goal=0.75, floor=1.0)
