"""Host ports, and node ports on 127.0.0.1 of a node: with kubectl, and by an engine that pulls from the cluster."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from netrig.plugin.fixtures import MakeProber
from netrig.probe import Outcome, tcp
from tests.cluster.manifests import container_id, http_in, pod, service
from tests.probe import answers

pytestmark = pytest.mark.cluster

PORT = 8089
NODE = "node1"


def with_port(name: str, **spec: Any) -> dict[str, Any]:
    ports = {"ports": [{"containerPort": 8080, "hostPort": PORT}]}
    return dict(pod(name, labels={"app": name}, container=ports, **spec))


def status(kubectl: Kubectl, name: str) -> dict[str, Any]:
    return dict(kubectl.json("get", "pod", name)["status"])


def test_a_host_port_answers_while_its_pod_runs(cluster: Cluster, kubectl: Kubectl, probe: MakeProber) -> None:
    kubectl.create(with_port("web", nodeName=NODE), pod("near", labels={"app": "near"}, nodeName=NODE))
    address = str(cluster.lab.state.host(NODE).address)
    for host, target in ((None, address), ("node2", address), (NODE, address), (NODE, "127.0.0.1")):
        assert "pod: web\n" in eventually(lambda host=host, target=target: answers(cluster, host, target, PORT))
    for name in ("near", "web"):
        found = eventually(lambda name=name: container_id(kubectl, f"app={name}"))
        assert found is not None
        assert "pod: web\n" in http_in(cluster, *found, address, PORT)
    kubectl("delete", "pod", "web", "--timeout=60s")
    for where, target in ((None, address), (cluster.host(NODE), address), (cluster.host(NODE), "127.0.0.1")):
        probe(where).eventually(Outcome.REFUSED, tcp(target, PORT), within_s=10.0)


def test_only_one_pod_of_a_node_has_the_port(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(with_port("first", nodeName=NODE))
    kubectl("wait", "--for=condition=Ready", "pod/first", "--timeout=60s")
    kubectl.create(with_port("second", nodeName=NODE), with_port("elsewhere"))
    eventually(lambda: status(kubectl, "second").get("phase") == "Failed")
    refused = status(kubectl, "second")
    assert refused["reason"] == "NodePorts"
    assert "didn't have free ports for the requested pod ports" in refused["message"]
    kubectl("wait", "--for=condition=Ready", "pod/elsewhere", "--timeout=60s")
    assert kubectl("get", "pod", "elsewhere", "-o", "jsonpath={.spec.nodeName}") != NODE


def test_an_engine_pulls_from_a_registry_in_the_cluster_by_a_node_port(cluster: Cluster, kubectl: Kubectl) -> None:
    """The registry is a pod on another node, and a cache of the lab's own registry."""
    directory = cluster.lab.host_paths("node2").volumes_root / "registry-in-a-pod"
    directory.mkdir(exist_ok=True)
    for file in ("/usr/bin/docker-registry", *libraries("/usr/bin/docker-registry")):
        shutil.copy(file, directory)
    directory.joinpath("config.yml").write_text(
        "version: 0.1\n"
        "storage: {filesystem: {rootdirectory: /tmp/registry}}\n"
        "http: {addr: '0.0.0.0:8080', secret: test}\n"
        f"proxy: {{remoteurl: 'http://{cluster.lab.registry().endpoint}'}}\n"
    )
    command = ["/registry/ld-linux-x86-64.so.2", "--library-path", "/registry", "/registry/docker-registry", "serve"]
    container = {
        "command": [*command, "/registry/config.yml"],
        "env": [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}],
        "volumeMounts": [{"name": "files", "mountPath": "/registry"}],
    }
    volumes = [{"name": "files", "hostPath": {"path": "/registry-in-a-pod"}}]
    kubectl.create(
        pod("registry", labels={"app": "registry"}, container=container, volumes=volumes, nodeName="node2"),
        service("registry", app="registry", type="NodePort"),
    )
    kubectl("wait", "--for=condition=Ready", "pod/registry", "--timeout=60s")
    port = kubectl("get", "service", "registry", "-o", "jsonpath={.spec.ports[0].nodePort}")
    image = {"image": f"localhost:{port}/library/tomcat:latest", "imagePullPolicy": "Always"}
    kubectl.create(pod("pulls", container=image, nodeName=NODE))
    kubectl("wait", "--for=condition=Ready", "pod/pulls", "--timeout=120s")
    assert "library/tomcat" in kubectl("logs", "registry")


def libraries(program: str) -> list[str]:
    """The shared libraries of a program and its loader, as paths."""
    done = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)
    return [word for line in done.stdout.splitlines() for word in line.split() if word.startswith("/")]
