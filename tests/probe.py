"""Requests a service by HTTP, from a host of a cluster or from outside."""

from __future__ import annotations

from lab.cluster import Cluster
from netrig.probe import Prober, http

TIMEOUT_S = 2.0


def answers(cluster: Cluster, host: str | None, address: str, port: int) -> str:
    """The body of a 200 answer to `GET /`; empty without such an answer.

    `host` None: the request comes from the machine's own namespace, which is outside of the cluster.
    """
    where = None if host is None else cluster.host(host).where
    result = Prober(where).one(http(address, port, timeout_s=TIMEOUT_S))
    return result.body.decode() if result.status == 200 else ""
