"""A lab host seen from the tests: its engine, and commands in its network namespace."""

from __future__ import annotations

import subprocess

import docker

from lab.cluster import Cluster


def engine_of(cluster: Cluster, host: str) -> docker.APIClient:
    """A client of the host's own engine; a context manager that closes it."""
    return docker.APIClient(base_url=f"unix://{cluster.lab.engine(host).paths.engine_socket}", version="auto")


def run_on(cluster: Cluster, host: str, *command: str) -> subprocess.CompletedProcess[str]:
    """The finished command, whatever came of it."""
    netns = cluster.lab.host_paths(host).netns
    return subprocess.run(["nsenter", f"--net={netns}", *command], capture_output=True, text=True)
