"""Probes and hooks of real pods: endpoints of services, restarts, the order of start and stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.config import Periods
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, pod, service, shell, shell_in

pytestmark = pytest.mark.cluster


def app(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """The status of the pod's first container."""
    return dict((kubectl.json("get", "pod", name)["status"].get("containerStatuses") or [{}])[0])


def endpoints(kubectl: Kubectl, name: str) -> list[str]:
    subsets = kubectl.json("get", "endpoints", name).get("subsets") or []
    return [address["ip"] for subset in subsets for address in subset.get("addresses") or []]


def place(kubectl: Kubectl, name: str) -> tuple[str, str]:
    found = eventually(lambda: container_id(kubectl, f"app={name}"), message=lambda: kubectl("describe", "pod", name))
    assert found is not None
    return found


def test_readiness_takes_a_pod_out_of_its_service_and_back(cluster: Cluster, kubectl: Kubectl) -> None:
    container = {
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 1, "failureThreshold": 1},
        "livenessProbe": {"exec": {"command": ["/bin/sh", "-c", "test ! -e /tmp/dead"]}, "periodSeconds": 1},
    }
    document = pod("shop", labels={"app": "shop"}, container=container)
    kubectl.create(document, service("shop", app="shop"))
    assert len(eventually(lambda: endpoints(kubectl, "shop"))) == 1
    node, running = place(kubectl, "shop")
    # The web server stops to answer, but the container goes on.
    shell_in(cluster, node, running, "kill -STOP $(pidof httpd)")
    eventually(lambda: endpoints(kubectl, "shop") == [], message=lambda: kubectl("describe", "pod", "shop"))
    assert app(kubectl, "shop")["started"] and not app(kubectl, "shop")["ready"]
    shell_in(cluster, node, running, "kill -CONT $(pidof httpd)")
    eventually(lambda: len(endpoints(kubectl, "shop")) == 1)
    assert app(kubectl, "shop")["restartCount"] == 0
    assert "Readiness probe failed" in eventually(lambda: kubectl("get", "events"))
    # A liveness probe by a command restarts the container.
    shell_in(cluster, node, running, "touch /tmp/dead")
    eventually(
        lambda: app(kubectl, "shop").get("restartCount") == 1, message=lambda: kubectl("describe", "pod", "shop")
    )
    eventually(lambda: app(kubectl, "shop").get("ready"))
    eventually(lambda: "failed liveness probe, will be restarted" in kubectl("get", "events"))


def test_startup_holds_back_the_other_probes(cluster: Cluster, kubectl: Kubectl) -> None:
    container = {
        **shell("exec sleep 600"),
        "startupProbe": {
            "exec": {"command": ["/bin/sh", "-c", "test -e /tmp/up"]},
            "periodSeconds": 1,
            "failureThreshold": 1000,
        },
        # It would restart the container at once.
        "livenessProbe": {
            "exec": {"command": ["/bin/sh", "-c", "test -e /tmp/up"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    }
    kubectl.create(pod("slow", labels={"app": "slow"}, container=container))
    node, running = place(kubectl, "slow")
    eventually(lambda: "Startup probe failed" in kubectl("get", "events"))
    state = app(kubectl, "slow")
    assert (state["started"], state["ready"], state["restartCount"]) == (False, False, 0)
    shell_in(cluster, node, running, "touch /tmp/up")
    eventually(lambda: app(kubectl, "slow").get("ready"), message=lambda: kubectl("describe", "pod", "slow"))
    assert app(kubectl, "slow")["started"] and app(kubectl, "slow")["restartCount"] == 0


def test_hooks_run_after_the_start_and_before_the_stop_signal(cluster: Cluster, kubectl: Kubectl) -> None:
    # The program's answer to SIGQUIT shows that the hook had run before.
    program = "trap 'cat /data/order > /data/end; exit 0' QUIT; while true; do sleep 0.1; done"
    container = {
        **shell(program),
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "lifecycle": {
            "postStart": {"exec": {"command": ["/bin/sh", "-c", "echo started > /data/order"]}},
            "preStop": {"exec": {"command": ["/bin/sh", "-c", "echo stopping >> /data/order"]}},
            "stopSignal": "SIGQUIT",
        },
    }
    document = pod(
        "hooked",
        labels={"app": "hooked"},
        container=container,
        volumes=[{"name": "data", "hostPath": {"path": "/hooked"}}],
        terminationGracePeriodSeconds=30,
        os={"name": "linux"},
    )
    kubectl.create(document)
    node, running = place(kubectl, "hooked")
    # The container is shown as running only after its hook.
    assert shell_in(cluster, node, running, "cat /data/order") == "started\n"
    kubectl("delete", "pod", "hooked")
    written = next(cluster.lab.host_paths(node).directory.glob("**/hooked/end"))
    assert written.read_text() == "started\nstopping\n"


@pytest.fixture
def patient(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster whose master waits for an agent that starts slowly."""
    with cluster_pool.lend(nodes=1, periods=Periods(heartbeat_s=0.5, grace_s=60.0, eviction_s=300.0)) as made:
        yield made


def test_an_agents_restart_changes_no_readiness(patient: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> None:
    cluster, kubectl = patient, kubectl_for(patient)
    container = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    kubectl.create(pod("calm", labels={"app": "calm"}, container=container))
    eventually(lambda: app(kubectl, "calm").get("ready"))
    node, _ = place(kubectl, "calm")

    def since() -> str:
        conditions = kubectl.json("get", "pod", "calm")["status"]["conditions"]
        return next(each["lastTransitionTime"] for each in conditions if each["type"] == "Ready")

    before = (since(), app(kubectl, "calm")["containerID"])
    faults.kill(cluster, node)
    faults.start(cluster, node)
    # The new agent reports its pods in its session: this pod's report comes before that of a later one.
    kubectl.create(pod("after", nodeName=node))
    eventually(lambda: kubectl.json("get", "pod", "after")["status"].get("phase") == "Running")
    assert (since(), app(kubectl, "calm")["containerID"]) == before
    assert app(kubectl, "calm")["ready"]
