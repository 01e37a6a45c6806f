"""cpu/agent_idle_pct and cpu/master_idle_pct: processor time in 60 s with default periods, in percent of one core.

Children that started and ended meanwhile count as well: the kernel adds their time to the parent that waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from lab.cluster import Cluster
from lab.config import KUBERNETES_PERIODS
from lab.plugin.clusters import running_cluster
from tests.bench.areas.memory import SETTLE_S, fill, tree
from tests.bench.figure import Figure

WINDOW_S = 60.0


def measure() -> Iterator[Figure]:
    with running_cluster(periods=KUBERNETES_PERIODS) as cluster:
        fill(cluster)
        time.sleep(SETTLE_S)
        before = {host: seconds(cluster, host) for host in ("node1", "master")}
        time.sleep(WINDOW_S)
        used = {host: 100 * (seconds(cluster, host) - before[host]) / WINDOW_S for host in before}
        yield Figure("cpu", "agent_idle_pct", used["node1"], "%", goal=2.0)
        yield Figure("cpu", "master_idle_pct", used["master"], "%", goal=2.0)


def seconds(cluster: Cluster, host: str) -> float:
    """Processor time of a host's master or agent since its start."""
    return sum(sum(process.cpu_times()[:4]) for process in tree(cluster, host))
