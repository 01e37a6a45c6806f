"""The example workloads: applies them, waits until they are ready, and fetches the front end from outside.

`sampan up`, tests and benchmarks use the same functions.
"""

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client.apply import apply
from client.discovery import Discovery
from client.errors import ClientError
from client.manifest import read
from client.rest import RestClient
from hull import processes
from hull.errors import StartFailed
from lab import readiness
from lab.cluster import Cluster

_DIRECTORY = Path(__file__).parent / "examples"
GUESTBOOK = _DIRECTORY / "guestbook.yaml"
FRONT_END = (_DIRECTORY / "tomcat-rc.yaml", _DIRECTORY / "tomcat-service.yaml")
EXAMPLES = (GUESTBOOK, *FRONT_END)
FRONT_END_PORT = 31002
_TIMEOUT_S = 60.0

Object = dict[str, Any]


def example(name: str) -> Path:
    """The path of an example manifest."""
    return _DIRECTORY / name


def apply_examples(cluster: Cluster, paths: tuple[Path, ...] = EXAMPLES) -> None:
    """Apply manifests as `sampan apply` does."""
    with cluster.client() as client:
        discovery = Discovery(client)
        for manifest in (item for path in paths for item in read(path)):
            apply(client, discovery, manifest.document)


def wait_ready(cluster: Cluster, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Wait until every ReplicationController of the default namespace has all its pods Ready."""
    with cluster.client() as client:
        if not _until(lambda: not _not_ready(client, "ReplicationController"), timeout_s):
            lacking = _not_ready(client, "ReplicationController") + _not_ready(client, "Pod")
            raise StartFailed(f"not Ready after {timeout_s:.0f} s: {'; '.join(lacking)}")


def wait_front_end(cluster: Cluster, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Wait until the front end's node port answers this machine on every node that is not cut off."""
    silent: list[str] = []

    def all_answer() -> bool:
        nodes = [node for node in cluster.lab.state.nodes if not node.off_master]
        silent[:] = [f"{node.address}:{FRONT_END_PORT}" for node in nodes if not fetch(str(node.address))]
        return not silent

    if not _until(all_answer, timeout_s):
        raise StartFailed(f"no answer after {timeout_s:.0f} s from {', '.join(silent)}")


def fetch(host: str, port: int = FRONT_END_PORT, *, timeout_s: float = 2.0) -> str:
    """The front end's page at that address; empty without an answer of 200."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    for _ in processes.until(timeout_s, 0.01):
        try:
            if condition():
                return True
        except ClientError:
            continue
    return False


def _not_ready(client: RestClient, kind: str) -> list[str]:
    """The objects of the default namespace that are not ready, each with the reason."""
    items = client.get(f"/api/v1/namespaces/default/{kind.lower()}s")["items"]
    lacking = ((item["metadata"]["name"], readiness.lacking(kind, item)) for item in items)
    return [f"{name}: {reason}" for name, reason in lacking if reason]
