"""Volumes of pods on real nodes: the engine mounts what the agent has mounted, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, pod, shell_in
from tests.hosts import engine_of


def test_a_sub_path_is_mounted_and_outlives_the_agent_and_the_container(cluster: Cluster, kubectl: Kubectl) -> None:
    container = {
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [
            {"name": "data", "mountPath": "/all"},
            {"name": "data", "mountPath": "/part", "subPathExpr": "logs/$(POD)"},
        ],
    }
    volumes = [{"name": "data", "emptyDir": {}}]
    kubectl.create(pod("holder", labels={"app": "holder"}, container=container, volumes=volumes))
    holder = eventually(lambda: container_id(kubectl, "app=holder"))
    assert holder is not None
    node, first = holder
    state = cluster.lab.host_paths(node).agent_state
    written = shell_in(cluster, node, first, "echo -n kept > /part/file; cat /all/logs/holder/file")
    assert written == "kept"
    faults.kill(cluster, node, "agent")
    faults.start(cluster, node, "agent")
    kubectl.create(pod("next", labels={"app": "next"}, nodeName=node))
    eventually(lambda: container_id(kubectl, "app=next"))
    assert container_id(kubectl, "app=holder") == (node, first)
    assert shell_in(cluster, node, first, "cat /part/file") == "kept"
    with engine_of(cluster, node) as engine:
        engine.kill(first)

    def restarted() -> str | None:
        now = container_id(kubectl, "app=holder")
        return now[1] if now is not None and now[1] != first else None

    second = eventually(restarted)
    assert second is not None and shell_in(cluster, node, second, "cat /part/file") == "kept"
    kubectl("delete", "pod", "holder", "next", "--timeout=60s")
    assert str(state) not in Path("/proc/mounts").read_text()
