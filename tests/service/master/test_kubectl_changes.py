"""The commands of unmodified kubectls that change objects, against a master on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.master.kubectls import KUBECTLS, Kubectl

MANIFEST = """
apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  replicas: 0
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "nginx:1", env: [{name: A, value: "1"}], ports: [{containerPort: 80}]}
      - {name: d, image: busybox}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
"""


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_apply_and_the_commands_that_patch(kubectl: Kubectl) -> None:
    def controller() -> Any:
        return json.loads(kubectl("get", "rc", "web", "-o", "json"))

    def images() -> list[str]:
        return [container["image"] for container in controller()["spec"]["template"]["spec"]["containers"]]

    kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("nginx:1", "nginx:2").replace(', env: [{name: A, value: "1"}]', "")
    kubectl("apply", "-f", "-", stdin=changed)
    assert images() == ["nginx:2", "busybox"]
    assert "env" not in controller()["spec"]["template"]["spec"]["containers"][0]
    kubectl("set", "image", "rc/web", "c=nginx:3")
    kubectl("edit", "rc/web", EDITOR="sed -i s/nginx:3/nginx:4/")
    kubectl("patch", "rc", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"b"}]}}}}')
    assert images() == ["nginx:4", "b"]
    kubectl("patch", "rc", "web", "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/x","value":"y"}]')
    kubectl("scale", "rc", "web", "--replicas=0")
    kubectl("label", "rc", "web", "x-")
    kubectl("annotate", "rc", "web", "x=y")
    metadata = controller()["metadata"]
    assert "x" not in metadata["labels"] and metadata["annotations"]["x"] == "y"
    kubectl("replace", "-f", "-", stdin=json.dumps(controller()))


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_the_commands_for_nodes(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=MANIFEST)

    def spec() -> Any:
        return json.loads(kubectl("get", "node", "n1", "-o", "json")).get("spec", {})

    kubectl("cordon", "n1")
    kubectl("taint", "node", "n1", "k=v:NoSchedule", "k=w:NoExecute")
    assert spec()["unschedulable"] and [taint["value"] for taint in spec()["taints"] if taint["key"] == "k"] == [
        "v",
        "w",
    ]
    kubectl("uncordon", "n1")
    kubectl("taint", "node", "n1", "k:NoSchedule-")
    assert not spec().get("unschedulable") and [
        taint["value"] for taint in spec()["taints"] if taint["key"] == "k"
    ] == ["w"]


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_objects_that_kubectl_itself_makes(kubectl: Kubectl) -> None:
    """Newer ones send protobuf."""
    kubectl("create", "configmap", "m", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", "deployment", "web", "--image=nginx")
    kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    deployment = json.loads(kubectl("get", "deployment", "web", "-o", "json"))
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert json.loads(kubectl("get", "configmap", "m", "-o", "json"))["data"] == {"a": "b"}
    assert json.loads(kubectl("get", "secret", "s", "-o", "json"))["data"] == {"a": "Yg=="}
