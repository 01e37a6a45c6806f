"""Security settings of pods on a real engine: who the processes are, what they may, and what the node refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, pod, shell, shell_in

pytestmark = pytest.mark.cluster

SLEEPS = shell("exec sleep 600")


def status(kubectl: Kubectl, name: str) -> dict[str, Any]:
    return dict(kubectl.json("get", "pod", name)["status"])


def waiting(kubectl: Kubectl, name: str) -> dict[str, Any]:
    statuses = status(kubectl, name).get("containerStatuses") or [{}]
    return dict(statuses[0].get("state", {}).get("waiting") or {})


def output_of(cluster: Cluster, kubectl: Kubectl, name: str, script: str) -> list[str]:
    """The lines that the script prints in the pod's first container, once it runs."""
    place = eventually(lambda: container_id(kubectl, f"app={name}"), message=lambda: kubectl("describe", "pod", name))
    assert place is not None
    return shell_in(cluster, *place, script).splitlines()


def secure(
    name: str, context: dict[str, Any] | None = None, *, container: dict[str, Any] | None = None, **spec: Any
) -> Any:
    """A pod with this pod-level security context whose container sleeps."""
    return pod(
        name, labels={"app": name}, container={**SLEEPS, **(container or {})}, securityContext=context or {}, **spec
    )


def test_users_and_groups_own_the_processes_and_the_volumes(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "red"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"key": "sesame"}},
    )
    context = {
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "runAsNonRoot": True,
        "supplementalGroups": [3000],
        "fsGroup": 4000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    volumes = [
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "hidden", "secret": {"secretName": "hidden", "items": [{"key": "key", "path": "key", "mode": 0o400}]}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    own = {"volumeMounts": mounts, "securityContext": {"allowPrivilegeEscalation": False}}
    kubectl.create(secure("owner", context, container=own, volumes=volumes))

    who = output_of(cluster, kubectl, "owner", "id -u; id -g; id -G; grep -E '^(NoNewPrivs|Seccomp):' /proc/1/status")
    assert who[:2] == ["1000", "2000"]
    assert set(who[2].split()) == {"2000", "3000", "4000"}
    user = eventually(lambda: status(kubectl, "owner")["containerStatuses"][0].get("user"))["linux"]
    assert (user["uid"], user["gid"], set(user["supplementalGroups"])) == (1000, 2000, {2000, 3000, 4000})
    assert [line.split() for line in who[3:]] == [["NoNewPrivs:", "1"], ["Seccomp:", "2"]]
    script = "touch /disk/f /memory/f && stat -c '%u:%g' /disk/f /memory/f && cat /settings/colour /hidden/key"
    assert output_of(cluster, kubectl, "owner", script) == ["1000:4000", "1000:4000", "redsesame"]
    script = "stat -Lc '%a %g' /disk /memory /settings/colour /hidden/key"
    assert output_of(cluster, kubectl, "owner", script) == ["2777 4000", "2777 4000", "644 4000", "440 4000"]


def test_a_container_that_must_not_be_root_does_not_start_as_root(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(secure("root", {"runAsNonRoot": True}), secure("group", {"runAsGroup": 2000}))
    reason = eventually(lambda: waiting(kubectl, "root").get("reason") == "CreateContainerConfigError")
    assert reason
    assert "container has runAsNonRoot and image will run as root" in waiting(kubectl, "root")["message"]
    assert "CreateContainerConfigError" in kubectl("get", "pod", "root")
    assert output_of(cluster, kubectl, "group", "id -u; id -g") == ["0", "2000"]


def test_namespaces_of_the_host_and_of_the_pod(cluster: Cluster, kubectl: Kubectl) -> None:
    shared = secure("shared", shareProcessNamespace=True)
    shared["spec"]["containers"].append(
        {"name": "other", "image": "tomcat", "imagePullPolicy": "IfNotPresent", **SLEEPS}
    )
    kubectl.create(secure("own"), secure("host", hostPID=True, hostIPC=True), shared)
    script = "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc"
    own, host = (output_of(cluster, kubectl, name, script) for name in ("own", "host"))
    # A lab's engine runs in the process and IPC namespaces of the machine.
    of_machine = [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("pid", "ipc")]
    assert host == of_machine
    assert not set(own) & set(of_machine)
    processes = output_of(cluster, kubectl, "own", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "pause" not in processes[0]

    def commands() -> str:
        return output_of(cluster, kubectl, "shared", "cat /proc/1/cmdline; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")[0]

    eventually(lambda: "pause" in commands() and commands().count("sleep 600") == 2, message=commands)


def test_safe_sysctls_are_set_and_others_refused(cluster: Cluster, kubectl: Kubectl) -> None:
    safe = {"kernel.shm_rmid_forced": "1", "net.ipv4.ip_local_port_range": "40000\t50000"}
    sysctls = [{"name": name, "value": value} for name, value in safe.items()]
    unsafe = [{"name": "kernel.msgmax", "value": "10000000000"}]
    kubectl.create(secure("safe", {"sysctls": sysctls}), secure("unsafe", {"sysctls": unsafe}))
    script = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_local_port_range"
    assert output_of(cluster, kubectl, "safe", script) == list(safe.values())
    assert Path("/proc/sys/kernel/shm_rmid_forced").read_text().strip() == "0"

    refused = eventually(lambda: status(kubectl, "unsafe") if status(kubectl, "unsafe")["phase"] == "Failed" else None)
    assert refused is not None
    assert refused["reason"] == "SysctlForbidden" and '"kernel.msgmax" is not safe' in refused["message"]
    assert "SysctlForbidden" in kubectl("get", "pod", "unsafe")
    eventually(lambda: "SysctlForbidden" in kubectl("get", "events"))
    kubectl("delete", "pod", "unsafe")


def test_profiles_that_the_host_cannot_enforce_are_refused(cluster: Cluster, kubectl: Kubectl) -> None:
    if Path("/sys/module/apparmor").exists():
        pytest.skip("this host has AppArmor")
    kubectl.create(
        secure("confined", {"appArmorProfile": {"type": "RuntimeDefault"}}),
        secure("missing", {"seccompProfile": {"type": "Localhost", "localhostProfile": "none.json"}}),
        secure("free", {"seccompProfile": {"type": "Unconfined"}, "appArmorProfile": {"type": "Unconfined"}}),
    )
    eventually(lambda: status(kubectl, "confined").get("reason") == "AppArmor")
    assert status(kubectl, "confined")["phase"] == "Failed"
    eventually(lambda: waiting(kubectl, "missing").get("reason") == "CreateContainerConfigError")
    assert "none.json" in waiting(kubectl, "missing")["message"]
    assert output_of(cluster, kubectl, "free", "grep ^Seccomp: /proc/1/status")[0].split() == ["Seccomp:", "0"]


def test_a_profile_of_the_node_is_applied(cluster: Cluster, kubectl: Kubectl) -> None:
    for node in cluster.lab.state.nodes:
        directory = cluster.lab.host_paths(node.name).agent_state / "seccomp"
        directory.mkdir(exist_ok=True)
        rule = '{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}'
        (directory / "no-mkdir.json").write_text(f'{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rule}]}}')
    profile = {"type": "Localhost", "localhostProfile": "no-mkdir.json"}
    kubectl.create(secure("local", container={"securityContext": {"seccompProfile": profile}}))
    script = "mkdir /tmp/x 2>/dev/null && echo made || echo refused; touch /file && echo touched"
    assert output_of(cluster, kubectl, "local", script) == ["refused", "touched"]


def test_the_image_adds_no_groups_to_a_strict_pod(cluster: Cluster, kubectl: Kubectl) -> None:
    groups = {"runAsUser": 1000, "supplementalGroups": [3000], "supplementalGroupsPolicy": "Strict"}
    kubectl.create(secure("strict", groups))
    assert output_of(cluster, kubectl, "strict", "id -u; id -g; id -G") == ["1000", "0", "0 3000"]
    for node in kubectl.json("get", "nodes")["items"]:
        assert node["status"]["features"]["supplementalGroupsPolicy"] is True
