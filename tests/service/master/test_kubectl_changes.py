"""The commands of unmodified kubectls that change objects, against a master on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.kubectl import newer_kubectls
from lab.layout import CACHE_ROOT
from tests.service.master.process import running

_DEBIAN = CACHE_ROOT / "kubectl-1.20/usr/bin/kubectl"
_NEWER = sorted(newer_kubectls())
# The oldest, which sends JSON, and the newest of this machine, which sends protobuf.
KUBECTLS = [*([_DEBIAN] if _DEBIAN.exists() else _NEWER[:1]), *_NEWER[-1:]]
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

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("kubectl")
    with running(directory):
        yield directory / "data" / "admin.kubeconfig"


@pytest.fixture(params=KUBECTLS, ids=lambda path: path.name if path != _DEBIAN else "debian")
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """Runs a command that must succeed. Objects are removed at the end."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> str:
        command = [str(request.param), f"--kubeconfig={kubeconfig}", *arguments]
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **environment}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    yield run
    run("delete", "rc/web", "node/n1", "configmap/m", "secret/s", "--ignore-not-found", "--wait=false")


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_apply_and_the_commands_that_patch(kubectl: Kubectl) -> None:
    def controller() -> Any:
        return json.loads(kubectl("get", "rc", "web", "-o", "json"))

    def images() -> list[str]:
        return [container["image"] for container in controller()["spec"]["template"]["spec"]["containers"]]

    kubectl("apply", "--validate=false", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("nginx:1", "nginx:2").replace(', env: [{name: A, value: "1"}]', "")
    kubectl("apply", "--validate=false", "-f", "-", stdin=changed)
    assert images() == ["nginx:2", "busybox"]
    assert "env" not in controller()["spec"]["template"]["spec"]["containers"][0]
    kubectl("set", "image", "rc/web", "c=nginx:3")
    kubectl("edit", "--validate=false", "rc/web", EDITOR="sed -i s/nginx:3/nginx:4/")
    kubectl("patch", "rc", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"b"}]}}}}')
    assert images() == ["nginx:4", "b"]
    kubectl("patch", "rc", "web", "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/x","value":"y"}]')
    kubectl("scale", "rc", "web", "--replicas=0")
    kubectl("label", "rc", "web", "x-")
    kubectl("annotate", "rc", "web", "x=y")
    metadata = controller()["metadata"]
    assert "x" not in metadata["labels"] and metadata["annotations"]["x"] == "y"
    kubectl("replace", "--validate=false", "-f", "-", stdin=json.dumps(controller()))


@pytest.mark.skipif(not KUBECTLS, reason="needs kubectl")
def test_the_commands_for_nodes(kubectl: Kubectl) -> None:
    kubectl("create", "--validate=false", "-f", "-", stdin=MANIFEST)

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
    assert json.loads(kubectl("get", "configmap", "m", "-o", "json"))["data"] == {"a": "b"}
    assert json.loads(kubectl("get", "secret", "s", "-o", "json"))["data"] == {"a": "Yg=="}
