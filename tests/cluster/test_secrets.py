"""Secrets reach the containers that want them, and no disk of the node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, pod, shell_in

VALUE = "open-sesame-4711"


def on_disk(top: Path) -> Iterator[Path]:
    """Files below a directory, without what is mounted there."""
    for directory, below, files in os.walk(top):
        below[:] = [each for each in below if not os.path.ismount(Path(directory, each))]
        yield from (path for each in files if (path := Path(directory, each)).is_file() and not path.is_symlink())


def holders(top: Path) -> list[Path]:
    return [path for path in on_disk(top) if VALUE.encode() in path.read_bytes()]


def test_a_secret_volume_is_in_memory_only_and_survives_the_agent(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pw"}, "stringData": {"key": VALUE}})
    volume = {"name": "pw", "secret": {"secretName": "pw", "defaultMode": 0o400}}
    mount = {"volumeMounts": [{"name": "pw", "mountPath": "/pw"}]}
    kubectl.create(pod("holder", labels={"app": "holder"}, container=mount, volumes=[volume]))
    found = eventually(lambda: container_id(kubectl, "app=holder"))
    assert found is not None
    node, container = found
    state = cluster.lab.host_paths(node).agent_state
    assert shell_in(cluster, node, container, "cat /pw/key; touch /pw/x 2>/dev/null || echo -n :refused") == (
        f"{VALUE}:refused"
    )
    assert list(on_disk(state)) and holders(state) == []
    faults.kill(cluster, node, "agent")
    faults.start(cluster, node, "agent")
    kubectl.create(pod("next", labels={"app": "next"}, nodeName=node))
    eventually(lambda: container_id(kubectl, "app=next"))
    assert container_id(kubectl, "app=holder") == (node, container)
    assert shell_in(cluster, node, container, "cat /pw/key") == VALUE and holders(state) == []
    kubectl("delete", "pod", "holder", "next", "--timeout=60s")
    assert str(state) not in Path("/proc/mounts").read_text()
