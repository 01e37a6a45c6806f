"""Faults of the wall clock that a host's master or agent sees; the clock itself is lab/hosts/clock.py."""

from lab.cluster import Cluster
from lab.faults import daemons
from lab.hosts import clock


def set_clock(cluster: Cluster, host: str, ahead_s: float) -> None:
    """Set the wall clock of the host's master or agent ahead of the machine's by `ahead_s`, or behind it (negative).

    The first call restarts the daemon, as it needs a clock of its own. Raises Unsupported.
    """
    paths = cluster.lab.host_paths(host)
    if not clock.is_given(paths):
        clock.put(paths, 0.0)
        if cluster.record(host) is not None:
            daemons.stop(cluster, host)
            daemons.start(cluster, host)
    clock.put(paths, ahead_s)


def reset_clock(cluster: Cluster, host: str) -> None:
    """Let the host's clock agree with the machine's."""
    paths = cluster.lab.host_paths(host)
    if clock.is_given(paths):
        clock.put(paths, 0.0)
