"""The API of a cluster of virtual machines, requested from the machines' network. Everything there is slow."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from client.errors import ClientError
from client.kubeconfig import load_kubeconfig
from client.rest import RestClient
from netrig.plugin import eventually
from netstack import namespaces

T = TypeVar("T")
Document = dict[str, Any]

SLOW_S: Final = 600.0
"""The bound for each wait. It is long, as the machines may share their cores with other work."""
PODS: Final = "/api/v1/namespaces/default/pods"
CONTROLLERS: Final = "/api/v1/namespaces/default/replicationcontrollers"
SERVICES: Final = "/api/v1/namespaces/default/services"
WEB_PORT: Final = 8080


class Api:
    """The API for the administrator. `namespace`: the network namespace from which the machines are reached."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self.namespace = namespace
        self.kubeconfig = kubeconfig

    def api(self, request: Callable[[RestClient], T]) -> T:
        """Call a function with a client, inside the network namespace."""

        def body() -> T:
            with RestClient(load_kubeconfig(self.kubeconfig)) as client:
                return request(client)

        return namespaces.run_in(self.namespace, body)

    def get(self, path: str) -> Document:
        return self.api(lambda client: client.get(path))

    def create(self, path: str, body: Document) -> Document:
        return self.api(lambda client: client.create(path, body))

    def delete(self, path: str) -> None:
        self.api(lambda client: client.delete(path))

    def scale(self, name: str, replicas: int) -> None:
        self.api(lambda client: client.patch(f"{CONTROLLERS}/{name}", {"spec": {"replicas": replicas}}))

    def pods(self, **labels: str) -> list[Document]:
        """The pods with these labels, including terminating ones."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        items: list[Document] = self.api(lambda client: client.get(PODS, {"labelSelector": selector}))["items"]
        return items

    def is_ready(self, path: str) -> bool:
        """Whether the object is Ready; false if the API does not answer."""
        try:
            return ready(self.get(path))
        except ClientError:
            return False

    def wait_ready(self, number: int, **labels: str) -> list[Document]:
        """Wait until exactly `number` pods have these labels, and all are Ready."""

        def look() -> list[Document]:
            pods = self.pods(**labels)
            assert len(pods) == number and all(map(ready, pods)), [summary(pod) for pod in pods]
            return pods

        return in_time(look)

    def fetch(self, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """The answer of a web pod to a request from outside: `pod`, `podIP`, `client`. Empty without an answer."""
        return namespaces.run_in(self.namespace, lambda: _fetch(address, port))


def in_time(look: Callable[[], T]) -> T:
    """`eventually` with the bound and the pauses for slow machines."""
    return eventually(look, within_s=SLOW_S, period_s=1.0)


def container_of(pod: Document) -> str:
    """The engine's id of the only container of a pod."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"]).removeprefix("docker://")


def ready(document: Document) -> bool:
    conditions = document.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def summary(pod: Document) -> str:
    """One pod, for the message of a failure."""
    status = pod.get("status", {})
    terminating = " terminating" if pod["metadata"].get("deletionTimestamp") else ""
    states = [entry.get("state") for entry in status.get("containerStatuses", [])]
    node = pod["spec"].get("nodeName", "no node")
    return f"{pod['metadata']['name']} on {node}: {status.get('phase')}{terminating} ready={ready(pod)} {states}"


def controller(name: str, replicas: int, labels: Mapping[str, str]) -> Document:
    """A ReplicationController of web pods."""
    spec = {"containers": [web()], "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": dict(labels), "template": template},
    }


def web(**more: object) -> Document:
    """A container whose page has its pod's name and address, and the client's address."""
    return {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent", **more}


def pod(
    name: str,
    node: str,
    labels: Mapping[str, str],
    container: Document | None = None,
    *,
    restart: str = "Always",
    volumes: Sequence[Document] = (),
) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "nodeName": node,
            "restartPolicy": restart,
            "containers": [container or web()],
            "volumes": list(volumes),
        },
    }


def _fetch(address: str, port: int) -> dict[str, str]:
    connection = http.client.HTTPConnection(address, port, timeout=20)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return fields(answer.read().decode()) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def request(address: str, port: int) -> str:
    """A shell command that sends the request from inside a pod."""
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 60 {address} {port}"


def fields(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
