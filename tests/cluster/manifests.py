"""Objects that the tests create, as plain dictionaries of the Kubernetes API, and commands in their containers."""

from __future__ import annotations

from typing import Any

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from tests.hosts import engine_of

_END = "-- the end of the script --"


def pod(
    name: str, *, labels: dict[str, str] | None = None, container: dict[str, Any] | None = None, **spec: Any
) -> Any:
    """A pod of one container (image tomcat unless `container` has another one) that stops within a second."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "tomcat", "imagePullPolicy": "IfNotPresent", **(container or {})}],
            **spec,
        },
    }


def shell(script: str) -> dict[str, Any]:
    """A container that runs a shell script instead of the image's own program."""
    return {"command": ["/bin/sh", "-c", script]}


def replication_controller(name: str, replicas: int, *, container: dict[str, Any] | None = None) -> Any:
    template = pod(name, labels={"app": name}, container=container)
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"app": name},
            "template": {"metadata": {"labels": {"app": name}}, "spec": template["spec"]},
        },
    }


def deployment(name: str, replicas: int, *, container: dict[str, Any] | None = None, **spec: Any) -> Any:
    made = replication_controller(name, replicas, container=container)
    selector = {"matchLabels": made["spec"]["selector"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {**made["spec"], "selector": selector, **spec},
    }


def service(name: str, *, app: str, port: int = 80, **spec: Any) -> Any:
    """A service in front of the pods labelled app=`app`, to their port 8080 unless `spec` has other ports."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": port, "targetPort": 8080}], **spec},
    }


def container_id(kubectl: Kubectl, selector: str) -> tuple[str, str] | None:
    """Node and Docker id of the container of the running pod with these labels; None if none runs yet."""
    for pod in kubectl.json("get", "pods", "-l", selector)["items"]:
        statuses = pod["status"].get("containerStatuses") or []
        if statuses and "running" in statuses[0]["state"]:
            return pod["spec"]["nodeName"], statuses[0]["containerID"].removeprefix("docker://")
    return None


def shell_in(cluster: Cluster, node: str, container: str, script: str) -> str:
    """The output of a shell script in a container. Runs it by the node's engine, as the API has no exec yet.

    Docker 20.10 sometimes loses the output of a program that ends at once: then the script runs again.
    """
    # In one line: some scripts print the command lines of all processes.
    command = ["/bin/sh", "-c", f"({script}); code=$?; echo '{_END}'; exit $code"]
    with engine_of(cluster, node) as engine:
        for _ in range(5):
            call = engine.exec_create(container, command)["Id"]
            text, end, _ = bytes(engine.exec_start(call)).decode().rpartition(f"{_END}\n")
            if end:
                break
        code = engine.exec_inspect(call)["ExitCode"]
    assert code == 0 and end, f"{script}: exit code {code}: {text}"
    return text


def http_in(cluster: Cluster, node: str, container: str, address: str, port: int) -> str:
    """The body that a container gets from a web server. Uses nc, as busybox' wget cannot resolve names without libc."""
    script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port}"
    return shell_in(cluster, node, container, script).replace("\r\n", "\n").partition("\n\n")[2]
