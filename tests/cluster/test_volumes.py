"""Volumes of pods on real nodes: the engine mounts what the agent has mounted, and nothing is left of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import container_id, pod, shell, shell_in
from tests.fakes.hangingfiles import hanging
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


def test_a_path_that_hangs_stops_no_other_pod_of_its_node(cluster: Cluster, kubectl: Kubectl) -> None:
    node = "node1"
    root = cluster.lab.host_paths(node).volumes_root
    (root / "dead").mkdir(parents=True)
    with hanging(root / "dead"):
        victims = [f"victim-{number}" for number in range(12)]
        for name in victims:
            container = {"volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "part"}]}
            volumes = [{"name": "data", "hostPath": {"path": f"/dead/{name}"}}]
            kubectl.create(pod(name, container=container, volumes=volumes, nodeName=node))
        container = {
            "volumeMounts": [
                {"name": "host", "mountPath": "/host", "subPath": "part"},
                {"name": "own", "mountPath": "/own", "subPath": "part"},
            ]
        }
        volumes = [{"name": "host", "hostPath": {"path": "/alive"}}, {"name": "own", "emptyDir": {}}]
        kubectl.create(pod("other", labels={"app": "other"}, container=container, volumes=volumes, nodeName=node))
        eventually(lambda: container_id(kubectl, "app=other"))
        # The agent ends although calls hang, and the next one is not held up by them.
        faults.stop(cluster, node, "agent")
        faults.start(cluster, node, "agent")
        kubectl("delete", "pod", "other", "--timeout=60s")
        kubectl("delete", "pod", *victims, "--timeout=60s")
    assert kubectl("get", "pods", "-o", "name").strip() == ""


_ASK_THE_API = """
import json, ssl, sys, urllib.error, urllib.request
root, host = sys.argv[1:]
account = f"{root}/var/run/secrets/kubernetes.io/serviceaccount"
context = ssl.create_default_context(cafile=f"{account}/ca.crt")
namespace, token = (open(f"{account}/{name}").read() for name in ("namespace", "token"))
request = urllib.request.Request(
    f"https://{host}/api/v1/namespaces/{namespace}/pods", headers={"Authorization": f"Bearer {token}"}
)
try:
    urllib.request.urlopen(request, context=context, timeout=20)
except urllib.error.HTTPError as error:
    print(json.load(error)["message"])
"""


def test_a_pod_reaches_the_api_with_its_token_by_the_address_of_the_service(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("caller", labels={"app": "caller"}))
    caller = eventually(lambda: container_id(kubectl, "app=caller"))
    assert caller is not None
    node, container = caller
    host = shell_in(cluster, node, container, "echo -n $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT")
    with engine_of(cluster, node) as engine:
        pid = engine.inspect_container(container)["State"]["Pid"]
    in_network = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", _ASK_THE_API, f"/proc/{pid}/root", host]
    answer = subprocess.run(in_network, check=True, capture_output=True, text=True, timeout=60).stdout
    # There is no RBAC yet: that the API knows the caller is in its refusal.
    assert f'User "system:serviceaccount:{kubectl.namespace}:default" cannot list resource "pods"' in answer


def test_a_changed_label_is_in_the_files_of_a_running_pod(cluster: Cluster, kubectl: Kubectl) -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    kubectl.create(
        pod(
            "shown",
            labels={"app": "shown"},
            container={"volumeMounts": [{"name": "about", "mountPath": "/about"}]},
            volumes=[{"name": "about", "projected": {"sources": [{"downwardAPI": {"items": items}}]}}],
        )
    )
    shown = eventually(lambda: container_id(kubectl, "app=shown"))
    assert shown is not None
    assert shell_in(cluster, *shown, "cat /about/labels") == 'app="shown"'
    kubectl("label", "pod", "shown", "tier=front")
    eventually(lambda: shell_in(cluster, *shown, "cat /about/labels") == 'app="shown"\ntier="front"')
    assert container_id(kubectl, "app=shown") == shown


_NODE1 = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]}
ON_NODE1 = {"required": {"nodeSelectorTerms": [{"matchExpressions": [_NODE1]}]}}
"""The node affinity of a local volume of node1."""


@contextmanager
def claimed(kubectl: Kubectl, *, mode: str = "Filesystem", **spec: Any) -> Iterator[None]:
    """A claim `data` that is bound to a volume with this spec."""
    name, size = f"disk-{kubectl.namespace}", {"storage": "1Gi"}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeMode": mode}
    reference = {"namespace": kubectl.namespace, "name": "data"}
    volume = {**common, **spec, "capacity": size, "claimRef": reference}
    claim = {**common, "volumeName": name, "resources": {"requests": size}}
    kubectl.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume})
    kubectl.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim})
    yield
    kubectl("delete", "pvc", "data", "--timeout=60s")
    kubectl("delete", "pv", name, "--timeout=60s")


def test_a_claim_that_is_bound_by_hand_brings_the_volume_to_the_pod(cluster: Cluster, kubectl: Kubectl) -> None:
    used = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kubectl.create(pod("keeper", labels={"app": "keeper"}, container=mounted, volumes=[used]))
    waiting = 'persistentvolumeclaim "data" not found'
    eventually(lambda: waiting in kubectl("get", "pod", "keeper", "-o", "jsonpath={.status.conditions[*].message}"))
    with claimed(kubectl, hostPath={"path": f"/data/disk-{kubectl.namespace}"}):
        keeper = eventually(lambda: container_id(kubectl, "app=keeper"))
        assert keeper is not None
        assert shell_in(cluster, *keeper, "echo -n kept > /data/file; cat /data/file") == "kept"
        kubectl("delete", "pod", "keeper", "--timeout=60s")


def test_a_local_volume_belongs_to_the_group_of_the_pod(cluster: Cluster, kubectl: Kubectl) -> None:
    directory = cluster.lab.host_paths("node1").volumes_root / "ssd"
    directory.mkdir(parents=True)
    (directory / "old").touch(mode=0o600)
    with claimed(kubectl, local={"path": "/ssd"}, nodeAffinity=ON_NODE1):
        kubectl.create(
            pod(
                "owner",
                labels={"app": "owner"},
                container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                securityContext={"runAsUser": 1000, "fsGroup": 4000, "fsGroupChangePolicy": "OnRootMismatch"},
            )
        )
        owner = eventually(lambda: container_id(kubectl, "app=owner"))
        assert owner is not None and owner[0] == "node1"
        assert shell_in(cluster, *owner, "echo -n new | tee /data/old /data/new") == "new"
        kubectl("delete", "pod", "owner", "--timeout=60s")
    assert {(directory / name).stat().st_gid for name in ("old", "new", "")} == {4000}


def test_a_block_device_of_a_claim_is_a_device_of_the_container(cluster: Cluster, kubectl: Kubectl) -> None:
    root = cluster.lab.host_paths("node1").volumes_root
    root.mkdir(parents=True, exist_ok=True)
    (root / "image").write_bytes(bytes(1 << 20))
    loop = subprocess.run(
        ["losetup", "--find", "--show", root / "image"], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        # The host paths of a lab's host are below a directory of its own.
        os.mknod(root / "disk", stat.S_IFBLK | 0o660, Path(loop).stat().st_rdev)
        with claimed(kubectl, mode="Block", local={"path": "/disk"}, nodeAffinity=ON_NODE1):
            for name, read_only in (("writer", False), ("reader", True)):
                used = {"name": "data", "persistentVolumeClaim": {"claimName": "data", "readOnly": read_only}}
                container = {"volumeDevices": [{"name": "data", "devicePath": "/dev/xvda"}]}
                kubectl.create(pod(name, labels={"app": name}, container=container, volumes=[used]))
                found = eventually(lambda: container_id(kubectl, f"app={name}"))  # noqa: B023 - waited for at once
                assert found is not None
                written = shell_in(cluster, *found, f"echo -n {name} 2>/dev/null >/dev/xvda; head -c 6 /dev/xvda")
                assert written == "writer"
                kubectl("delete", "pod", name, "--timeout=60s")
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)


def test_a_share_that_cannot_be_mounted_is_named_by_an_event(cluster: Cluster, kubectl: Kubectl) -> None:
    share = {"name": "data", "nfs": {"server": "127.0.0.1", "path": "/none"}}
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kubectl.create(pod("waiter", labels={"app": "waiter"}, container=mounted, volumes=[share]))
    message = "127.0.0.1:/none"
    eventually(lambda: message in kubectl("get", "events", "--field-selector", "reason=FailedMount"))
    kubectl("delete", "pod", "waiter", "--timeout=60s")


def test_mounts_are_not_shared_where_the_node_does_not_share_them(cluster: Cluster, kubectl: Kubectl) -> None:
    """The file systems of a lab are private. The engine refuses the container, and people see why."""
    mount = {"name": "share", "mountPath": "/share", "mountPropagation": "HostToContainer"}
    volumes = [{"name": "share", "hostPath": {"path": "/share", "type": "DirectoryOrCreate"}}]
    kubectl.create(pod("slave", labels={"app": "slave"}, container={"volumeMounts": [mount]}, volumes=volumes))
    eventually(lambda: "not a shared or slave mount" in kubectl("get", "pod", "slave", "-o", "json"))
    kubectl("delete", "pod", "slave", "--timeout=60s")


def test_an_init_container_writes_variables_for_the_containers(cluster: Cluster, kubectl: Kubectl) -> None:
    data = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    writes = {"name": "writes", "image": "tomcat", **shell("echo \"COLOUR='red or blue' # why\" > /data/env"), **data}
    ref = {"fileKeyRef": {"volumeName": "data", "path": "env", "key": "COLOUR"}}
    container = {"env": [{"name": "COLOUR", "valueFrom": ref}, {"name": "BOTH", "value": "$(COLOUR)!"}]}
    volumes = [{"name": "data", "emptyDir": {}}]
    kubectl.create(
        pod("reader", labels={"app": "reader"}, container=container, initContainers=[writes], volumes=volumes)
    )
    place = eventually(lambda: container_id(kubectl, "app=reader"), message=lambda: kubectl("get", "pods"))
    assert place is not None
    assert shell_in(cluster, *place, 'echo -n "$COLOUR $BOTH"') == "red or blue red or blue!"


def test_what_is_mounted_below_a_volume_is_read_only(cluster: Cluster, kubectl: Kubectl) -> None:
    node = cluster.lab.state.nodes[0].name
    root = cluster.lab.host_paths(node).volumes_root / "trees"
    below = root / "below"
    below.mkdir(parents=True)
    mounts = [
        {"name": "tree", "mountPath": f"/{recursive}", "readOnly": True, "recursiveReadOnly": recursive}
        for recursive in ("Enabled", "IfPossible", "Disabled")
    ]
    volumes = [{"name": "tree", "hostPath": {"path": "/trees"}}]
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        kubectl.create(
            pod("tree", labels={"app": "tree"}, nodeName=node, container={"volumeMounts": mounts}, volumes=volumes)
        )
        place = eventually(lambda: container_id(kubectl, "app=tree"), message=lambda: kubectl("get", "pods"))
        assert place is not None
        script = "for m in /Enabled /IfPossible /Disabled; do touch $m/below/x 2>/dev/null && echo $m; done"
        assert shell_in(cluster, *place, script).split() == ["/Disabled"]
        (status,) = kubectl.json("get", "pod", "tree")["status"]["containerStatuses"]
        made = {mount["mountPath"]: mount.get("recursiveReadOnly") for mount in status["volumeMounts"]}
        assert {path: made[path] for path in ("/Enabled", "/IfPossible", "/Disabled")} == {
            "/Enabled": "Enabled",
            "/IfPossible": "Enabled",
            "/Disabled": "Disabled",
        }
        kubectl("delete", "pod", "tree", "--timeout=60s")
        # Unmounting the container's copy has left the original in place.
        assert below.is_mount() and (below / "x").exists()
    finally:
        subprocess.run(["umount", below], check=True)
    handlers = [each["status"]["runtimeHandlers"] for each in kubectl.json("get", "nodes")["items"]]
    features = {"recursiveReadOnlyMounts": True, "userNamespaces": False}
    assert all(handler == [{"name": "", "features": features}] for handler in handlers)


def test_a_volume_has_the_files_of_an_image(cluster: Cluster, kubectl: Kubectl) -> None:
    node = cluster.lab.state.nodes[0].name
    files = cluster.lab.host_paths(node).agent_state / "imagefiles"
    container = {
        "volumeMounts": [
            {"name": "files", "mountPath": "/files", "readOnly": True},
            {"name": "files", "mountPath": "/part", "subPath": "bin"},
        ]
    }
    volumes = [{"name": "files", "image": {"reference": "tomcat", "pullPolicy": "IfNotPresent"}}]
    kubectl.create(
        pod("files", labels={"app": "files"}, nodeName=node, container=container, volumes=volumes),
        pod("none", nodeName=node, container=container, volumes=[{"name": "files", "image": {"reference": "none:1"}}]),
    )
    place = eventually(lambda: container_id(kubectl, "app=files"), message=lambda: kubectl("describe", "pod", "files"))
    assert place is not None
    script = """
        cmp /bin/sh /files/bin/sh && cmp /bin/sh /part/sh && echo same
        for d in /files /part; do touch $d/new 2>/dev/null || echo read-only; done
        for p in /files/bin/sh /part/sh; do $p -c true 2>/dev/null || echo no program; done
        ls -d /files/.dockerenv /files/etc/mtab 2>/dev/null || true
    """
    lines = shell_in(cluster, *place, script).splitlines()
    assert lines == ["same", "read-only", "read-only", "no program", "no program"]
    assert len(list(files.iterdir())) == 1

    def reason() -> str:
        (status,) = kubectl.json("get", "pod", "none")["status"]["containerStatuses"]
        return str(status["state"]["waiting"]["reason"])

    eventually(lambda: reason() == "ImagePullBackOff", message=reason)
    kubectl("delete", "pod", "files", "none", "--timeout=60s")
    assert list(files.iterdir()) == []
