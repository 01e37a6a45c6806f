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
from lab import processes
from lab.cluster import Cluster
from lab.errors import StartFailed

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
            raise StartFailed(f"not Ready after {timeout_s:.0f} s: {'; '.join(_lacking(client) + _reasons(client))}")


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
    """ReplicationControllers that want more Ready pods than there are."""
    found = []
    for controller in client.get("/api/v1/namespaces/default/replicationcontrollers")["items"]:
        wanted, ready = controller["spec"].get("replicas", 1), controller.get("status", {}).get("readyReplicas", 0)
        if ready < wanted:
            found.append(f"{controller['metadata']['name']} {ready}/{wanted}")
    return found


def _reasons(client: RestClient) -> list[str]:
    """What pods that are not Ready say about it."""
    found = []
    for pod in client.get("/api/v1/namespaces/default/pods")["items"]:
        status = pod.get("status", {})
        waiting = [entry.get("state", {}).get("waiting") or {} for entry in status.get("containerStatuses") or []]
        unmet = [entry for entry in status.get("conditions") or [] if entry["status"] != "True"]
        words = [f"{entry.get('reason', '')} {entry.get('message', '')}".strip() for entry in [*waiting, *unmet]]
        if unmet or status.get("phase") != "Running":
            text = next((word for word in words if word), "")
            found.append(f"{pod['metadata']['name']} {status.get('phase', 'Pending')} {text}".rstrip())
    return found
