"""A cluster's API as the tests in virtual machines ask it, from the machines' wire; everything there is slow."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
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
"""Bound of any one thing that is waited for: the machines may share their cores with whatever else runs here."""
PODS: Final = "/api/v1/namespaces/default/pods"
CONTROLLERS: Final = "/api/v1/namespaces/default/replicationcontrollers"
SERVICES: Final = "/api/v1/namespaces/default/services"
WEB_PORT: Final = 8080


class Api:
    """As the administrator. `namespace`: the network namespace from which the machines are reached."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self.namespace = namespace
        self.kubeconfig = kubeconfig

    def api(self, ask: Callable[[RestClient], T]) -> T:
        def body() -> T:
            with RestClient(load_kubeconfig(self.kubeconfig)) as client:
                return ask(client)

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
        """Those with these labels, also those on their way out."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        found: list[Document] = self.api(lambda client: client.get(PODS, {"labelSelector": selector}))["items"]
        return found

    def is_ready(self, path: str) -> bool:
        """Whether the object is Ready; an API that is away says no."""
        try:
            return ready(self.get(path))
        except ClientError:
            return False

    def wait_ready(self, number: int, **labels: str) -> list[Document]:
        """That many pods with these labels, all of them Ready, and no others."""

        def look() -> list[Document]:
            found = self.pods(**labels)
            assert len(found) == number and all(map(ready, found)), [summary(pod) for pod in found]
            return found

        return in_time(look)

    def fetch(self, address: str, port: int = WEB_PORT) -> dict[str, str]:
        """What a web pod says, asked from outside of the cluster: `pod`, `podIP`, `client`. Empty without an answer."""
        return namespaces.run_in(self.namespace, lambda: _fetch(address, port))


def in_time(look: Callable[[], T]) -> T:
    """The first true value of `look`, as everything here is waited for."""
    return eventually(look, within_s=SLOW_S, period_s=1.0)


def container_of(pod: Document) -> str:
    """The id of a pod's one container at its engine."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"]).removeprefix("docker://")


def ready(found: Document) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def summary(pod: Document) -> str:
    """One pod for a failure's message."""
    status = pod.get("status", {})
    leaving = " leaving" if pod["metadata"].get("deletionTimestamp") else ""
    waiting = [each.get("state") for each in status.get("containerStatuses", [])]
    where = pod["spec"].get("nodeName", "nowhere")
    return f"{pod['metadata']['name']} on {where}: {status.get('phase')}{leaving} ready={ready(pod)} {waiting}"


def controller(name: str, replicas: int, labels: Mapping[str, str]) -> Document:
    """Of web pods."""
    spec = {"containers": [web()], "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": dict(labels), "template": template},
    }


def web(**more: object) -> Document:
    """A container that tells who it is and whom it sees."""
    return {"name": "main", "image": "tomcat:latest", "imagePullPolicy": "IfNotPresent", **more}


def pod(
    name: str, node: str, labels: Mapping[str, str], container: Document | None = None, *, restart: str = "Always"
) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {"nodeName": node, "restartPolicy": restart, "containers": [container or web()]},
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
    """The command by which a pod's shell asks there."""
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 60 {address} {port}"


def fields(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
