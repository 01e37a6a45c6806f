"""The commands of each kubectl for Deployments; a stand-in for nodes reports pods as ready."""

from __future__ import annotations

import pytest

from tests.clients.kubectl import Kubectl
from tests.clients.manifests import DEPLOYMENT, POD

pytestmark = pytest.mark.usefixtures("nodes")


def test_a_rollout(kubectl: Kubectl) -> None:
    def image() -> str:
        return str(kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"))

    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("set", "image", "deployment/web", "c=nginx:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    history = kubectl("rollout", "history", "deployment/web").split()
    assert history[-4] == "1" and history[-2] == "2"
    assert "nginx:1" in kubectl("rollout", "history", "deployment/web", "--revision=1")
    kubectl("rollout", "undo", "deployment/web")
    assert image() == "nginx:1"
    kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    assert image() == "nginx:2"
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("rollout", "pause", "deployment/web")
    assert "already paused" in kubectl("rollout", "pause", "deployment/web", code=1)
    kubectl("rollout", "resume", "deployment/web")


def test_scale_and_wait(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    kubectl("scale", "deployment", "web", "--replicas=3", "--current-replicas=2")
    assert "Expected replicas to be 2" in kubectl(
        "scale", "deployment", "web", "--replicas=1", "--current-replicas=2", code=1
    )
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert len(kubectl.json("pods", "-l", "app=web")["items"]) == 3
    kubectl("wait", "pods", "-l", "app=web", "--for=condition=Ready", "--timeout=60s")
    if kubectl.minor >= 23:
        kubectl("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=60s")
    kubectl("create", "-f", "-", stdin=POD)
    kubectl("delete", "pod", "single", "--wait=false")
    if kubectl.minor >= 27:  # older ones fail if the pod is gone already
        kubectl("wait", "pod/single", "--for=delete", "--timeout=30s")


def test_autoscale(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    percent = "--cpu-percent=50" if kubectl.minor < 34 else "--cpu=50%"
    kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", percent)
    assert kubectl.json("hpa", "web")["spec"]["maxReplicas"] == 3
