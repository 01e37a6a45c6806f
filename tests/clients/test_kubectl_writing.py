"""The commands of each kubectl that create, change and delete objects."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.clients.kubectl import Kubectl
from tests.clients.manifests import CONFIG, DEPLOYMENT, NODE, POD, SERVICE, together

KUSTOMIZATION = Path(__file__).with_name("kustomization")


def test_objects_that_kubectl_makes_from_arguments(kubectl: Kubectl) -> None:
    """Newer ones send protobuf, old ones JSON without Content-Type."""
    kubectl("create", "configmap", "m", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", "deployment", "d", "--image=nginx")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "service", "clusterip", "v", "--tcp=80:8080")
    kubectl("run", "p", "--image=busybox", "--restart=Never", "--", "sleep", "1")
    kubectl("expose", "deployment", "d", "--port=80", "--name=exposed")
    assert kubectl.json("cm", "m")["data"] == {"a": "b"}
    assert kubectl.json("secret", "s")["data"] == {"a": "Yg=="}
    assert kubectl.json("pod", "p")["spec"]["containers"][0]["args"] == ["sleep", "1"]
    assert kubectl.json("svc", "exposed")["spec"]["selector"] == {"app": "d"}
    assert kubectl.json("svc", "v")["spec"]["ports"][0]["targetPort"] == 8080
    assert "already exists" in kubectl("create", "configmap", "m", code=1)


def test_apply(kubectl: Kubectl) -> None:
    manifest = together(DEPLOYMENT, SERVICE, CONFIG)
    kubectl("apply", "-f", "-", stdin=manifest)
    changed = manifest.replace("nginx:1", "nginx:2").replace('{name: A, value: "1"}, ', "").replace(', size: "1"', "")
    assert "deployment.apps/web configured" in kubectl("apply", "-f", "-", stdin=changed)
    container = kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx:2" and container["env"] == [{"name": "B", "value": "2"}]
    assert kubectl.json("cm", "settings")["data"] == {"color": "blue"}
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=changed)
    assert '"app":"web"' in kubectl("apply", "view-last-applied", "deployment/web", "-o", "json").replace(" ", "")


def test_server_side_apply(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=together(DEPLOYMENT, CONFIG))
    kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG.replace("blue", "red"))
    assert kubectl.json("cm", "settings")["data"] == {"color": "red", "size": "1"}
    kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=CONFIG.replace("blue", "red"))
    refused = kubectl("apply", "--server-side", "--field-manager=third", "-f", "-", stdin=CONFIG, code=1)
    assert "conflict" in refused and ".data.color" in refused
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=third", "-f", "-", stdin=CONFIG)
    assert kubectl.json("cm", "settings")["data"]["color"] == "blue"
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=DEPLOYMENT.replace("nginx:1", "nginx:9"))
    assert "nginx:9" in kubectl("get", "deployment", "web", "-o", "yaml")


def test_diff_and_dry_runs_store_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CONFIG)
    assert kubectl("diff", "-f", "-", stdin=CONFIG) == ""
    difference = kubectl("diff", "-f", "-", stdin=CONFIG.replace("blue", "red"), code=1)
    assert "-  color: blue" in difference and "+  color: red" in difference
    assert "+  color: red" in kubectl("diff", "--server-side", "-f", "-", stdin=CONFIG.replace("blue", "red"), code=1)
    kubectl("diff", "-f", "-", stdin=POD, code=1)
    for command in ("create", "apply"):
        kubectl(command, "--dry-run=server", "-f", "-", stdin=together(POD, SERVICE))
    kubectl("delete", "cm", "settings", "--dry-run=server")
    assert kubectl("get", "pods,svc", "-o", "name") == ""
    assert kubectl.json("cm", "settings")["data"]["color"] == "blue"


def test_labels_annotations_and_patches(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    kubectl("label", "cm", "settings", "x=1", "part-")
    assert "already has a value" in kubectl("label", "cm", "settings", "x=2", code=1)
    kubectl("label", "cm", "settings", "x=2", "--overwrite")
    kubectl("annotate", "cm", "settings", "note=a b")
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"size":null}}')
    kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"add","path":"/data/y","value":"z"}]')
    kubectl("patch", "cm", "settings", "-p", '{"data":{"w":"v"}}')
    settings = kubectl.json("cm", "settings")
    assert settings["data"] == {"color": "blue", "y": "z", "w": "v"}
    assert settings["metadata"]["labels"] == {"x": "2"} and settings["metadata"]["annotations"] == {"note": "a b"}


def test_edit_set_and_replace(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=together(DEPLOYMENT, CONFIG, SERVICE))
    kubectl("edit", "deployment/web", EDITOR="sed -i s/nginx:1/nginx:2/")
    kubectl("set", "env", "deployment/web", "C=3")
    kubectl("set", "resources", "deployment/web", "--limits=cpu=1", "--requests=memory=1Mi")
    kubectl("set", "selector", "service", "web", "app=x")
    kubectl("set", "serviceaccount", "deployment/web", "default")
    spec = kubectl.json("deployment", "web")["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "nginx:2" and spec["serviceAccountName"] == "default"
    assert [variable["name"] for variable in spec["containers"][0]["env"]] == ["A", "B", "C"]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}}
    assert kubectl.json("svc", "web")["spec"]["selector"] == {"app": "x"}
    settings = kubectl.json("cm", "settings")
    settings["data"] = {"only": "this"}
    kubectl("replace", "-f", "-", stdin=json.dumps(settings))
    assert "Conflict" in kubectl("replace", "-f", "-", stdin=json.dumps(settings), code=1)
    kubectl("replace", "--force", "-f", "-", stdin=CONFIG)
    assert kubectl.json("cm", "settings")["data"]["color"] == "blue"


def test_nodes(kubectl: Kubectl) -> None:
    node = f"n-{kubectl.namespace}"
    kubectl("create", "-f", "-", stdin=NODE.replace("NAME", node))
    kubectl("cordon", node)
    kubectl("taint", "node", node, "k=v:NoSchedule", "k=w:NoExecute")
    spec = kubectl.json("node", node)["spec"]
    assert spec["unschedulable"] and [t["effect"] for t in spec["taints"] if t["key"] == "k"] == [
        "NoSchedule",
        "NoExecute",
    ]
    kubectl("taint", "node", node, "k-")
    kubectl("uncordon", node)
    spec = kubectl.json("node", node)["spec"]
    assert "unschedulable" not in spec and not [t for t in spec.get("taints", ()) if t["key"] == "k"]
    kubectl("label", "node", node, "disk=ssd")
    assert kubectl("get", "nodes", "-l", "disk=ssd", "-o", "name") == f"node/{node}\n"
    kubectl("delete", "node", node)


def test_a_kustomization(kubectl: Kubectl) -> None:
    kubectl("apply", "-k", str(KUSTOMIZATION))
    deployment = kubectl.json("deployment", "small-web")
    assert deployment["metadata"]["labels"]["team"] == "blue"
    (name,) = [m for m in kubectl("get", "cm", "-o", "name").split() if m.startswith("configmap/small-settings-")]
    assert deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] == name.partition("/")[2]
    assert kubectl("diff", "-k", str(KUSTOMIZATION)) == ""
    kubectl("delete", "-k", str(KUSTOMIZATION))
    assert kubectl("get", "deployment", "-o", "name") == ""


def test_prune(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=together(CONFIG, SERVICE))
    allowed = ("--prune-whitelist" if kubectl.minor < 26 else "--prune-allowlist", "core/v1/Service")
    pruned = kubectl("apply", "--prune", "-l", "part=web", f"{allowed[0]}={allowed[1]}", "-f", "-", stdin=CONFIG)
    assert "service/web pruned" in pruned
    assert kubectl("get", "svc", "-o", "name") == ""


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_deletion_of_what_owns_others(kubectl: Kubectl, cascade: str) -> None:
    kubectl("create", "-f", "-", stdin=DEPLOYMENT)
    kubectl("wait", "deployment/web", "--for=condition=Progressing", "--timeout=20s")
    kubectl("delete", "deployment", "web", f"--cascade={cascade}", "--timeout=30s")
    assert kubectl("get", "deployment", "-o", "name") == ""
    if cascade == "orphan":
        (replicas,) = kubectl.json("rs")["items"]
        assert "ownerReferences" not in replicas["metadata"]
    else:
        until = time.monotonic() + 20
        while kubectl("get", "rs", "-o", "name") and cascade == "background":
            assert time.monotonic() < until
        assert kubectl("get", "rs", "-o", "name") == ""


def test_deletion_by_label_of_all_and_now(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=together(POD, CONFIG, SERVICE))
    kubectl("delete", "cm,svc", "-l", "part=web")
    assert kubectl("get", "svc", "-o", "name") == ""
    kubectl("delete", "pod", "single", "--grace-period=0", "--force")
    kubectl("create", "-f", "-", stdin=POD)
    kubectl("delete", "pods", "--all", "--now")
    assert kubectl("get", "pods", "-o", "name") == ""
    assert kubectl("delete", "cm", "none", "--ignore-not-found") == ""


def test_a_manifest_with_a_mistake_is_refused(kubectl: Kubectl) -> None:
    assert "colour" in kubectl("create", "-f", "-", stdin=CONFIG.replace("data:", "colour: red\ndata:"), code=1)
    assert "replicas" in kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 2", "replicas: -1"), code=1)
    assert kubectl("get", "deployment", "-o", "name") == ""
