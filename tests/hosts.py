"""Clients for the engines of lab hosts."""

from __future__ import annotations

import docker

from lab.cluster import Cluster


def engine_of(cluster: Cluster, host: str) -> docker.APIClient:
    """A client of the host's engine, to be used as a context manager."""
    return docker.APIClient(base_url=f"unix://{cluster.lab.engine(host).paths.engine_socket}", version="auto")
