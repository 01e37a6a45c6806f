"""What a pod's containers get: volumes, limits, environment and files; and how the status reports their end."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, http_in, pod, shell, shell_in
from tests.hosts import engine_of

pytestmark = pytest.mark.cluster


def status(kubectl: Kubectl, name: str) -> dict[str, Any]:
    return dict(kubectl.json("get", "pod", name)["status"])


def running(kubectl: Kubectl, name: str) -> tuple[str, str]:
    container = eventually(lambda: container_id(kubectl, f"app={name}"))
    assert container is not None
    return container


def test_containers_share_network_and_volumes_and_have_the_pods_name(cluster: Cluster, kubectl: Kubectl) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    two = pod("pair", labels={"app": "pair"}, container=mount, volumes=[{"name": "shared", "emptyDir": {}}])
    writer = shell("echo written > /shared/file; exec sleep 600")
    two["spec"]["containers"].append(
        {"name": "other", "image": "tomcat", "imagePullPolicy": "IfNotPresent", **writer, **mount}
    )
    kubectl.create(two)
    eventually(lambda: status(kubectl, "pair").get("phase") == "Running")
    node, container = running(kubectl, "pair")
    address = status(kubectl, "pair")["podIP"]
    assert eventually(lambda: shell_in(cluster, node, container, "cat /shared/file 2>/dev/null || true")) == "written\n"
    assert shell_in(cluster, node, container, "hostname") == "pair\n"
    assert f"{address}\tpair" in shell_in(cluster, node, container, "cat /etc/hosts")
    assert f"podIP: {address}" in http_in(cluster, node, container, "127.0.0.1", 8080)
    kubectl("delete", "pod", "pair")
    assert not list(cluster.lab.host_paths(node).agent_state.glob("pods/*/volumes/shared"))


def test_a_host_path_is_created_and_kept(cluster: Cluster, kubectl: Kubectl) -> None:
    document = pod(
        "keeper",
        labels={"app": "keeper"},
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "hostPath": {"path": "/kept/here"}}],
        nodeName="node2",
    )
    kubectl.create(document)
    node, container = running(kubectl, "keeper")
    shell_in(cluster, node, container, "echo kept > /data/file")
    kubectl("delete", "pod", "keeper")
    kubectl.create(document)
    node, container = running(kubectl, "keeper")
    assert shell_in(cluster, node, container, "cat /data/file") == "kept\n"
    assert list(cluster.lab.host_paths(node).directory.glob("**/kept/here/file"))


def test_limits_become_cgroup_limits(cluster: Cluster, kubectl: Kubectl) -> None:
    resources = {"limits": {"cpu": "250m", "memory": "32Mi"}, "requests": {"cpu": "100m", "memory": "16Mi"}}
    kubectl.create(pod("small", labels={"app": "small"}, container={"resources": resources}))
    node, container = running(kubectl, "small")
    with engine_of(cluster, node) as engine:
        limits = engine.inspect_container(container)["HostConfig"]
    assert (limits["Memory"], limits["CpuQuota"], limits["CpuPeriod"]) == (32 << 20, 25_000, 100_000)
    assert limits["CpuShares"] == 102
    assert limits["OomScoreAdj"] == 999
    assert limits["LogConfig"]["Config"]["max-size"]
    kubectl.create(
        pod("greedy", container={"resources": resources, **shell("exec tail /dev/zero")}, restartPolicy="Never")
    )
    ended = eventually(lambda: terminated(kubectl, "greedy"))
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def terminated(kubectl: Kubectl, name: str) -> dict[str, Any]:
    statuses = status(kubectl, name).get("containerStatuses") or [{}]
    return dict(statuses[0].get("state", {}).get("terminated") or {})


def test_environment_comes_from_literals_references_fields_and_objects(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"key": "sesame"}},
    )
    env = [
        {"name": "PLAIN", "value": "x"},
        {"name": "REFERS", "value": "$(PLAIN)-$$(PLAIN)-$(MISSING)"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "key"}}},
    ]
    kubectl.create(pod("env", labels={"app": "env"}, container={"env": env}))
    node, container = running(kubectl, "env")
    lines = shell_in(cluster, node, container, "env").split("\n")
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    assert (variables["PLAIN"], variables["REFERS"]) == ("x", "x-$(PLAIN)-$(MISSING)")
    assert (variables["COLOUR"], variables["KEY"], variables["NODE"]) == ("red", "sesame", node)
    assert variables["POD_IP"] == status(kubectl, "env")["podIP"]
    kubectl.create(pod("lacks", container={"envFrom": [{"configMapRef": {"name": "nowhere"}}]}))
    eventually(lambda: "CreateContainerConfigError" in kubectl("get", "pod", "lacks"))


@pytest.mark.parametrize(
    ("policy", "script", "phase"),
    [
        pytest.param("Never", "exit 0", "Succeeded", id="never, success"),
        pytest.param("Never", "exit 7", "Failed", id="never, failure"),
        pytest.param("OnFailure", "exit 0", "Succeeded", id="on failure, success"),
    ],
)
def test_phase_and_reason_of_a_pod_that_ended(kubectl: Kubectl, policy: str, script: str, phase: str) -> None:
    kubectl.create(pod("ends", container=shell(script), restartPolicy=policy))
    eventually(lambda: status(kubectl, "ends").get("phase") == phase)
    ended = terminated(kubectl, "ends")
    assert ended["exitCode"] == int(script.split()[1])
    assert ended["reason"] == ("Completed" if phase == "Succeeded" else "Error")


def test_a_failing_container_backs_off(kubectl: Kubectl) -> None:
    kubectl.create(pod("fails", container=shell("exit 1"), restartPolicy="OnFailure"))

    def reason() -> str:
        statuses = status(kubectl, "fails").get("containerStatuses") or [{}]
        return str((statuses[0].get("state", {}).get("waiting") or {}).get("reason"))

    eventually(lambda: reason() == "CrashLoopBackOff")
    assert "CrashLoopBackOff" in kubectl("get", "pod", "fails")
    eventually(lambda: "BackOff" in kubectl("get", "events"))


def test_a_sidecar_starts_before_the_containers_and_ends_after_them(kubectl: Kubectl) -> None:
    log = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    image = {"image": "tomcat", "imagePullPolicy": "IfNotPresent"}
    proxy = {
        "name": "proxy",
        "restartPolicy": "Always",
        **image,
        **log,
        **shell("echo up > /log/proxy; trap 'echo app says $(cat /log/app); exit 0' TERM; sleep 600 & wait"),
    }
    document = pod(
        "escorted",
        container={**shell("cat /log/proxy; sleep 1; echo bye > /log/app"), **log},
        initContainers=[proxy],
        restartPolicy="Never",
        volumes=[{"name": "log", "emptyDir": {}}],
    )
    kubectl.create(document)
    eventually(lambda: status(kubectl, "escorted").get("phase") == "Succeeded")
    assert kubectl("logs", "escorted") == "up\n"
    assert eventually(lambda: kubectl("logs", "escorted", "-c", "proxy")) == "app says bye\n"
    assert "0/2" in kubectl("get", "pod", "escorted") and "Completed" in kubectl("get", "pod", "escorted")


def test_a_new_image_replaces_a_container_that_is_never_restarted(kubectl: Kubectl) -> None:
    kubectl.create(pod("edited", container=shell("exec sleep 600"), restartPolicy="Never"))
    eventually(lambda: status(kubectl, "edited").get("phase") == "Running")
    name = kubectl.json("get", "pod", "edited")["spec"]["containers"][0]["name"]
    kubectl("set", "image", "pod/edited", f"{name}=redis")

    def image() -> str:
        statuses = status(kubectl, "edited")["containerStatuses"][0]
        return str(statuses["image"]) if "running" in statuses["state"] else ""

    eventually(lambda: image() == "redis")
    assert status(kubectl, "edited")["phase"] == "Running"


def test_a_volume_is_mounted_below_a_config_map(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "site"}, "data": {"site.conf": "on"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "stringData": {"key.pem": "sesame"}},
    )
    mounts = [{"name": "site", "mountPath": "/c"}, {"name": "tls", "mountPath": "/c/ssl"}]
    volumes = [{"name": "site", "configMap": {"name": "site"}}, {"name": "tls", "secret": {"secretName": "tls"}}]
    kubectl.create(pod("nested", labels={"app": "nested"}, container={"volumeMounts": mounts}, volumes=volumes))
    node, container = running(kubectl, "nested")
    assert shell_in(cluster, node, container, "cat /c/site.conf /c/ssl/key.pem") == "onsesame"
