"""`sampan report` of a lab: logs and network state of all hosts, and no value of a secret."""

from __future__ import annotations

import base64
import subprocess
import tarfile
from pathlib import Path

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod

SAMPAN = Path(__file__).resolve().parents[2] / "sampan"
PASSWORD = "correct horse battery staple"


def test_a_report_of_a_lab(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    kubectl.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"password": encoded}})
    env = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]
    kubectl.create(pod("user", container={"env": env}))
    eventually(lambda: kubectl.json("get", "pod", "user")["status"].get("phase") == "Running")
    path = tmp_path / "report.tar.gz"
    command = [SAMPAN, "report", path, "--lab", cluster.lab.name, "--kubeconfig", cluster.kubeconfig]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with tarfile.open(path) as archive:
        found = {
            member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
        }
    node = kubectl.json("get", "pod", "user")["spec"]["nodeName"]
    assert b"SAMPAN-SERVICES" in found[f"hosts/{node}/network/iptables-legacy.txt"]
    assert b"sampan.vxlan" in found[f"hosts/{node}/network/links.txt"]
    assert b"session" in found[f"hosts/{node}/agent.log"] and found["hosts/master/master.log"]
    # The pod itself may not have been measured yet.
    assert f'"nodeName": "{node}"'.encode() in found[f"nodes/{node}/stats-summary.txt"]
    assert found[f"nodes/{node}/healthz.txt"] == b"ok"
    for name, content in found.items():
        assert PASSWORD.encode() not in content and encoded.encode() not in content, name
