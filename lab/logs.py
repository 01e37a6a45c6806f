"""Which files hold the logs of a host's processes."""

from pathlib import Path

from lab.cluster import Cluster
from lab.errors import NotFound
from lab.faults import Target, resolve

_ENGINE_LOGS = ("containerd.log", "dockerd.log")


def files(cluster: Cluster, host: str, target: Target | None) -> list[Path]:
    """The logs of the host's master, agent or engine. Raises NotFound when it has not run yet, LabError."""
    process = resolve(cluster, host, target)
    names = _ENGINE_LOGS if process == "engine" else (f"{process}.log",)
    directory = cluster.lab.host_paths(host).logs
    paths = [directory / name for name in names if (directory / name).exists()]
    if not paths:
        raise NotFound(f"the {process} of {host} has no log: it has not run yet")
    return paths
