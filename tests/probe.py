"""Packets from a lab host's point of view: the socket is opened inside the host's network namespace.

`host` None is the machine's own namespace, which counts as outside of the cluster.
"""

from __future__ import annotations

import http.client
import socket
from contextlib import closing

from lab.cluster import Cluster
from netstack import namespaces


def connect(cluster: Cluster, host: str | None, address: str, port: int, *, timeout_s: float = 2.0) -> socket.socket:
    """An open TCP connection; raises ConnectionRefusedError, TimeoutError or another OSError."""
    where = None if host is None else str(cluster.lab.host_paths(host).netns)
    return namespaces.run_in(where, lambda: socket.create_connection((address, port), timeout=timeout_s))


def http_get(cluster: Cluster, host: str | None, address: str, port: int, *, timeout_s: float = 2.0) -> str:
    """The body of a 200 answer to `GET /`; raises OSError when there was none."""
    with closing(connect(cluster, host, address, port, timeout_s=timeout_s)) as stream:
        connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
        connection.sock = stream
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no HTTP answer: {error!r}") from error
        if answer.status != 200:
            raise ConnectionError(f"HTTP {answer.status}: {body}")
        return body


def answers(cluster: Cluster, host: str | None, address: str, port: int) -> str:
    """The body, or nothing when there is no answer (yet)."""
    try:
        return http_get(cluster, host, address, port)
    except OSError:
        return ""
