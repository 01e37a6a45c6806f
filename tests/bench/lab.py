"""Helpers of measurements on a cluster: create pods and wait for them, delete them and wait until they are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from client.errors import NotFound
from client.rest import RestClient
from netrig.plugin import eventually

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "lab" / "examples"


def until(look: Callable[[], T], *, timeout_s: float = 60.0, period_s: float = 0.002) -> T:
    """The first true value of `look`. Polls more often than tests do, because the measured times are milliseconds."""
    return eventually(look, within_s=timeout_s, period_s=period_s)


def pod(name: str, node: str, *, image: str = "tomcat", labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod of one container that names its node, so that the scheduler is not involved."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}],
        },
    }


def ready(document: dict[str, Any]) -> bool:
    conditions = document.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def container_id(document: dict[str, Any]) -> str:
    """The engine's id of the first container of a pod that runs."""
    return str(document["status"]["containerStatuses"][0]["containerID"]).removeprefix("docker://")


PODS = "/api/v1/namespaces/default/pods"


def create_ready(client: RestClient, document: dict[str, Any]) -> dict[str, Any]:
    """Create a pod and return it as a watch first sees it Ready."""
    made = client.create(PODS, document)
    name, version = made["metadata"]["name"], made["metadata"]["resourceVersion"]
    query = {"fieldSelector": f"metadata.name={name}"}
    for event in client.watch(PODS, resource_version=version, query=query, timeout_s=60.0):
        if event.kind != "BOOKMARK" and ready(event.object):
            return event.object
    raise TimeoutError(f"pod {name} was not Ready in time")


def delete_gone(client: RestClient, name: str) -> None:
    """Delete a pod at once and wait until it is gone."""
    client.delete(f"{PODS}/{name}")

    def gone() -> bool:
        try:
            client.get(f"{PODS}/{name}")
        except NotFound:
            return True
        return False

    until(gone, period_s=0.02)
