"""The example workloads of a cluster: applied, waited for, and asked from outside.

`up` serves them; tests and benches use the same functions.
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
        for manifest in (found for path in paths for found in read(path)):
            apply(client, discovery, manifest.document)


def wait_ready(cluster: Cluster, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Wait until every ReplicationController of the default namespace has all its pods Ready."""
    with cluster.client() as client:
        if not _until(lambda: not _lacking(client), timeout_s):
            raise StartFailed(
                f"not Ready after {timeout_s:.0f} s: {'; '.join(_lacking(client) + _not_ready(client, 'Pod'))}"
            )


def wait_front_end(cluster: Cluster, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Wait until the front end's node port answers, on every node, to this machine: outside the cluster."""
    silent: list[str] = []

    def all_answer() -> bool:
        nodes = [node for node in cluster.lab.state.nodes if not node.off_master]
        silent[:] = [f"{node.address}:{FRONT_END_PORT}" for node in nodes if not fetch(str(node.address))]
        return not silent

    if not _until(all_answer, timeout_s):
        raise StartFailed(f"no answer after {timeout_s:.0f} s from {', '.join(silent)}")


def fetch(host: str, port: int = FRONT_END_PORT, *, timeout_s: float = 2.0) -> str:
    """What the front end says at that address; empty without an answer of 200."""
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


def _lacking(client: RestClient) -> list[str]:
    return _not_ready(client, "ReplicationController")


def _not_ready(client: RestClient, kind: str) -> list[str]:
    """The objects of the default namespace that are not ready, with what they lack."""
    found = client.get(f"/api/v1/namespaces/default/{kind.lower()}s")["items"]
    lacking = ((item["metadata"]["name"], readiness.lacking(kind, item)) for item in found)
    return [f"{name}: {words}" for name, words in lacking if words]
