"""Certificates, the CA and the whole state of a real cluster are replaced. The running pods are not restarted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.errors import Gone
from client.kubeconfig import load_kubeconfig
from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, replication_controller, shell
from tests.cluster.test_faults import containers, is_ready, pods_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def sampan(cluster: Cluster, *words: str, code: int = 0) -> str:
    """The output of a command on the master's host."""
    command = [sys.executable, "-m", "cli", *words, "--lab", cluster.lab.name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def running(cluster: Cluster) -> dict[str, str]:
    """Every container of every node, with the time of its start."""
    return {id_: start for node in cluster.lab.state.nodes for id_, start in containers(cluster, node.name).items()}


def certificates(cluster: Cluster) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(sampan(cluster, "certs", "-o", "json"))["certificates"]}


def identities(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The identity that each agent has on its disk."""
    layout = cluster.lab.layout
    return {
        node.name: json.loads((layout.host(node.name).agent_state / "identity.json").read_text())
        for node in cluster.lab.state.nodes
    }


def revision(cluster: Cluster) -> int:
    with cluster.client() as client:
        return int(client.get("/api/v1/pods")["metadata"]["resourceVersion"])


def nodes_are_ready(kubectl: Kubectl) -> bool:
    return all(is_ready(node) for node in kubectl.json("get", "nodes")["items"])


def serve(kubectl: Kubectl) -> None:
    """Run four pods, spread over the nodes."""
    kubectl.create(replication_controller("web", 4, container=shell("exec sleep 100000")))
    eventually(lambda: len([each for each in pods_of(kubectl, "web") if is_ready(each)]) == 4, within_s=90)


def test_certificates_ca_and_state_are_replaced_under_running_pods(
    fresh_cluster: Cluster, kubectl_for: Callable[[Cluster], Kubectl], tmp_path: Path
) -> None:
    cluster, kubectl = fresh_cluster, kubectl_for(fresh_cluster)
    eventually(lambda: nodes_are_ready(kubectl), within_s=60)
    serve(kubectl)
    before, joined = running(cluster), identities(cluster)
    old_access = load_kubeconfig(cluster.kubeconfig)

    # Rotate the CA in two steps. The second requires that every node has a new certificate.
    sampan(cluster, "certs", "rotate", "ca")
    assert old_access.authority is not None
    with RestClient(old_access) as client:
        assert client.get("/api/v1/nodes")["items"], "clients that do not know the new CA yet are accepted"
    eventually(lambda: "Every node is ready" in sampan(cluster, "certs"), within_s=60)
    assert "sampan token create" in sampan(cluster, "certs", "rotate", "ca", "--finish")
    renewed = eventually(lambda: _on_the_new_ca(cluster, joined), within_s=60)
    assert renewed.keys() == joined.keys()
    assert {each["issuer"] for each in certificates(cluster).values()} == {certificates(cluster)["ca"]["subject"]}
    eventually(lambda: nodes_are_ready(kubectl), within_s=60)
    assert running(cluster) == before

    # Make a backup, and changes after it.
    archive = tmp_path / "cluster.tar"
    sampan(cluster, "backup", str(archive))
    kubectl.create(pod("later", container=shell("exec sleep 100000"), nodeName="node1"))
    eventually(lambda: is_ready(kubectl.json("get", "pod", "later")), within_s=60)
    last = revision(cluster)
    sampan(cluster, "certs", "rotate", "node2")  # newer than the backup
    eventually(lambda: identities(cluster)["node2"]["certificate"] != renewed["node2"]["certificate"], within_s=60)
    assert len(running(cluster)) == len(before) + 2

    assert "another master is running" in sampan(cluster, "restore", str(archive), "--force", code=1)
    faults.stop(cluster, "master")
    assert "--force" in sampan(cluster, "restore", str(archive), code=1)
    sampan(cluster, "restore", str(archive), "--force")
    faults.start(cluster, "master")
    cluster.wait_api()
    eventually(lambda: nodes_are_ready(kubectl), within_s=60)
    assert [item["metadata"]["name"] for item in kubectl.json("get", "pods")["items"] if "later" in str(item)] == []
    eventually(lambda: running(cluster) == before, within_s=60)
    assert revision(cluster) > last
    with cluster.client() as client, pytest.raises(Gone):
        next(client.watch("/api/v1/pods", resource_version=str(last)))
    assert len([each for each in pods_of(kubectl, "web") if is_ready(each)]) == 4
    # The restored cluster works: a new pod becomes ready.
    kubectl.create(pod("after", container=shell("exec sleep 100000"), nodeName="node2"))
    eventually(lambda: is_ready(kubectl.json("get", "pod", "after")), within_s=60)


def _on_the_new_ca(cluster: Cluster, joined: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The agents' identities, if all trust the new CA only; otherwise nothing."""
    master = cluster.lab.layout.host(cluster.lab.state.master.name)
    authority = (master.master_data / "pki" / "ca.crt").read_text().strip()
    current = identities(cluster)
    same = all(each["ca"].strip() == authority != joined[name]["ca"].strip() for name, each in current.items())
    return current if same else {}
