"""What pods use, as `kubectl top` and the pages of their node show it: by the cgroups of real containers."""

from __future__ import annotations

import json

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell

FIRST_S = 60.0
"""A container is measured within 10 s of its start, and every 10 s."""
# A quarter of a core, and at least 24 MiB in a file of the memory's file system.
BUSY = shell("head -c 25165824 /dev/zero > /dev/shm/file; while :; do :; done")
RESOURCES = {"limits": {"cpu": "250m", "memory": "128Mi"}}


def rows(kubectl: Kubectl, *arguments: str) -> list[list[str]]:
    shown = kubectl.tried("top", "pod", "--no-headers", *arguments)
    return [line.split() for line in shown.stdout.splitlines()] if shown.returncode == 0 else []


def number(text: str, unit: str) -> int:
    assert text.endswith(unit), text
    return int(text.removesuffix(unit))


def node_of(kubectl: Kubectl, name: str) -> str:
    return str(kubectl.json("get", "pod", name)["spec"]["nodeName"])


def test_kubectl_and_the_pages_of_the_node_show_what_containers_use(cluster: Cluster, any_kubectl: Kubectl) -> None:
    busy = pod("busy", labels={"app": "busy"}, container={**BUSY, "resources": RESOURCES})
    idle = {"name": "idle", "image": "tomcat", "imagePullPolicy": "IfNotPresent", **shell("exec sleep 600")}
    busy["spec"]["containers"].append(idle)
    any_kubectl.create(busy)

    def measured() -> dict[str, list[str]]:
        shown = {row[1]: row for row in rows(any_kubectl, "busy", "--containers")}
        # The first measurement may be of the moment before the file was full.
        return shown if "main" in shown and number(shown["main"][3], "Mi") >= 24 else {}

    shown = eventually(measured, within_s=FIRST_S)
    assert shown["main"][0] == "busy" and 0 < number(shown["main"][2], "m") <= 300
    assert number(shown["main"][3], "Mi") < 128
    assert number(shown["idle"][2], "m") < 100 and number(shown["idle"][3], "Mi") < 24
    raw = f"/api/v1/nodes/{node_of(any_kubectl, 'busy')}/proxy"
    summary = json.loads(any_kubectl("get", "--raw", f"{raw}/stats/summary"))
    (pod_,) = (each for each in summary["pods"] if each["podRef"]["name"] == "busy")
    main = next(each for each in pod_["containers"] if each["name"] == "main")
    assert 24 << 20 <= main["memory"]["workingSetBytes"] < 128 << 20 and main["memory"]["availableBytes"] > 0
    assert main["cpu"]["usageCoreNanoSeconds"] > 1e8 and 0 < main["cpu"]["usageNanoCores"] < 3.5e8
    assert pod_["network"]["name"] == "eth0" and summary["node"]["memory"]["workingSetBytes"] > 1 << 20
    series = any_kubectl("get", "--raw", f"{raw}/metrics/cadvisor").splitlines()
    head = 'container_memory_working_set_bytes{container="main"'
    (line,) = (each for each in series if each.startswith(head) and 'pod="busy"' in each)
    assert f'namespace="{any_kubectl.namespace}"' in line and float(line.split()[1]) >= 24 << 20
    assert "pod_cpu_usage_seconds_total{" in any_kubectl("get", "--raw", f"{raw}/metrics/resource")
    assert "process_resident_memory_bytes" in any_kubectl("get", "--raw", f"{raw}/metrics")
    ((name, cpu, memory),) = rows(any_kubectl, "-l", "app=busy")
    assert name == "busy" and number(cpu, "m") > 0 and number(memory, "Mi") >= 24
    any_kubectl("delete", "pod", "busy")
    eventually(lambda: not rows(any_kubectl, "busy"))
