"""A lab host's engine, as the tests ask it."""

from __future__ import annotations

import docker

from lab.cluster import Cluster


def engine_of(cluster: Cluster, host: str) -> docker.APIClient:
    """A client of the host's own engine; a context manager that closes it."""
    return docker.APIClient(base_url=f"unix://{cluster.lab.engine(host).paths.engine_socket}", version="auto")
