"""Secrets reach the containers that mount them, but never the disk of the node."""

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
    """The files below a directory, except those on mounts."""
    for directory, below, files in os.walk(top):
        below[:] = [name for name in below if not os.path.ismount(Path(directory, name))]
        yield from (path for name in files if (path := Path(directory, name)).is_file() and not path.is_symlink())


def holders(top: Path) -> list[Path]:
    return [path for path in on_disk(top) if VALUE.encode() in path.read_bytes()]


def test_a_secret_volume_is_in_memory_only_and_survives_the_agent(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pw"}, "stringData": {"key": VALUE}})
    volume = {"name": "pw", "secret": {"secretName": "pw", "defaultMode": 0o400}}
    mount = {"volumeMounts": [{"name": "pw", "mountPath": "/pw"}]}
    kubectl.create(pod("holder", labels={"app": "holder"}, container=mount, volumes=[volume]))
    holder = eventually(lambda: container_id(kubectl, "app=holder"))
    assert holder is not None
    node, container = holder
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
