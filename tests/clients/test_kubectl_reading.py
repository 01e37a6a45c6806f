"""The commands of each kubectl that only read, and those about the server itself."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.clients.kubectl import Kubectl
from tests.clients.manifests import CONFIG, DEPLOYMENT, NODE, POD, SERVICE, together


def test_discovery(kubectl: Kubectl) -> None:
    server = json.loads(kubectl("version", "-o", "json"))["serverVersion"]
    assert (server["major"], server["minor"]) == ("1", "37")
    assert {"v1", "apps/v1", "discovery.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert "deployments.apps" in kubectl("api-resources", "-o", "name").split()
    assert kubectl("api-resources", "--verbs=list", "--namespaced=false", "-o", "name").count("nodes")
    assert "running at" in kubectl("cluster-info")


def test_tables_and_objects(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=together(DEPLOYMENT, SERVICE, CONFIG, POD))
    assert kubectl("get", "deployments").splitlines()[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert "busybox:1" not in kubectl("get", "pod", "single")
    assert "NOMINATED" in kubectl("get", "pod", "single", "-o", "wide")
    assert "image: busybox:1" in kubectl("get", "pod", "single", "-o", "yaml")
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.color}") == "blue"
    assert kubectl("get", "cm", "settings", "-o", "custom-columns=N:.metadata.name", "--no-headers") == "settings\n"
    rows = kubectl("get", "cm,svc", "--sort-by=.metadata.name", "-o", "name").split()
    assert rows == ["configmap/kube-root-ca.crt", "configmap/settings", "service/web"]
    assert kubectl("get", "all", "-l", "part=web", "-o", "name").split() == ["service/web", "deployment.apps/web"]
    assert kubectl("get", "pods", "--field-selector=metadata.name=single", "-o", "name") == "pod/single\n"
    assert kubectl.namespace in kubectl("get", "pods", "-A", "--chunk-size=1")
    assert "NotFound" in kubectl("get", "cm", "none", code=1)


def test_describe(kubectl: Kubectl) -> None:
    node = f"n-{kubectl.namespace}"
    kubectl("create", "-f", "-", stdin=together(DEPLOYMENT, SERVICE, POD, NODE.replace("NAME", node)))
    assert "busybox:1" in kubectl("describe", "pod", "single")
    kubectl("wait", "deployment/web", "--for=condition=Progressing", "--timeout=20s")
    described = kubectl("describe", "deployment", "web")
    assert "nginx:1" in described and "NewReplicaSet:" in described
    assert "8080/TCP" in kubectl("describe", "service", "web")
    assert node in kubectl("describe", "node", node)
    kubectl("delete", "node", node)


def test_watch(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    commands = [("get", "cm", "-w", "--no-headers"), ("get", "cm", "settings", "-w", "-o", "json")]
    for command in commands:
        with subprocess.Popen(
            kubectl.command(*command), stdout=subprocess.PIPE, text=True, env=kubectl.environment
        ) as watch:
            assert watch.stdout is not None
            try:
                assert any("settings" in line for line in watch.stdout)
                kubectl("patch", "cm", "settings", "-p", f'{{"data":{{"x{len(command)}":"1"}}}}')
                wanted = "settings" if "--no-headers" in command else f'"x{len(command)}"'
                assert any(wanted in line for line in watch.stdout)
            finally:
                watch.kill()


def test_explain(kubectl: Kubectl) -> None:
    assert "replicas" in kubectl("explain", "deployment.spec")
    assert "containerPort" in kubectl("explain", "pods.spec.containers", "--recursive")
    assert "does not exist" in kubectl("explain", "pod.spec.nothing", code=1)


def test_events(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=POD)
    uid = kubectl.json("pod", "single")["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": kubectl.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "single",
            "namespace": kubectl.namespace,
            "uid": uid,
        },
        "reason": "Tried",
        "message": "a message",
        "type": "Normal",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    assert "a message" in kubectl("get", "events")
    assert "a message" in kubectl("describe", "pod", "single")
    if kubectl.minor >= 27:
        assert "a message" in kubectl("events", "--for=pod/single")


def test_access(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "*.*" in kubectl("auth", "can-i", "--list")
    account = f"system:serviceaccount:{kubectl.namespace}:default"
    assert kubectl("auth", "can-i", "create", "pods", f"--as={account}", code=1).count(f'User "{account}"')
    assert kubectl("auth", "can-i", "create", "pods", "--as=jane", "--as-group=system:masters") == "yes\n"
    if kubectl.minor >= 28:  # 1.27 asks for a version that Kubernetes does not serve any more
        assert "Username" in kubectl("auth", "whoami")


def test_tokens(kubectl: Kubectl) -> None:
    if kubectl.minor < 24:
        pytest.skip("this kubectl has no `create token`")
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--duration=1h").strip()
    assert token.count(".") == 2
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))["status"]
    assert status["authenticated"] and status["user"]["username"] == f"system:serviceaccount:{kubectl.namespace}:robot"
