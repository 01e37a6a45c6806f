"""The everyday use of kubectl, with every installed version of kubectl."""

from __future__ import annotations

import time

import pytest

from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, replication_controller, service, shell

pytestmark = pytest.mark.cluster


@pytest.fixture
def kubectl(any_kubectl: Kubectl) -> Kubectl:
    """Every test of this file runs once with each kubectl."""
    return any_kubectl


def phase(kubectl: Kubectl, name: str) -> str:
    return str(kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}"))


def running(kubectl: Kubectl, *names: str) -> None:
    for name in names:
        eventually(lambda name=name: phase(kubectl, name) == "Running")


def test_get_prints_the_usual_columns(kubectl: Kubectl) -> None:
    kubectl.create(pod("web", labels={"app": "web"}))
    running(kubectl, "web")
    header, row = eventually(lambda: _lines_if(kubectl("get", "pods"), "1/1"))
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["web", "1/1", "Running", "0"]
    wide = kubectl("get", "pods", "-o", "wide")
    assert wide.split("\n")[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    address, node = wide.split("\n")[1].split()[5:7]
    assert address.startswith("10.244.") and node.startswith("node")
    nodes = kubectl("get", "nodes").split("\n")
    assert nodes[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert all(line.split()[1] == "Ready" for line in nodes[1:-1])
    usage = eventually(lambda: _lines_unless(kubectl("top", "node", "--no-headers"), "<unknown>"))
    assert len(usage) == len(nodes[1:-1])
    for line in usage:
        _, cpu, _, memory, _ = line.split()
        # The machine of the lab has at least a few mebibytes in use.
        assert cpu.endswith("m") and memory.endswith("Mi") and int(memory[:-2]) > 10, line


def _lines_if(text: str, word: str) -> list[str] | None:
    return text.rstrip("\n").split("\n") if word in text else None


def _lines_unless(text: str, word: str) -> list[str] | None:
    return None if word in text else text.rstrip("\n").split("\n")


def test_get_as_yaml_and_by_label_and_in_all_namespaces(kubectl: Kubectl) -> None:
    kubectl.create(pod("one", labels={"app": "a", "tier": "front"}), pod("two", labels={"app": "b", "tier": "front"}))
    text = kubectl("get", "pod", "one", "-o", "yaml")
    assert "apiVersion: v1\n" in text and "kind: Pod\n" in text and "    app: a\n" in text
    assert kubectl("get", "pods", "-l", "app=a", "-o", "name") == "pod/one\n"
    assert kubectl("get", "pods", "-l", "tier=front,app notin (a)", "-o", "name") == "pod/two\n"
    everywhere = kubectl("get", "pods", "-A", "-o", "wide")
    assert everywhere.split()[0] == "NAMESPACE" and f"{kubectl.namespace} " in everywhere
    assert kubectl("get", "pods", "--field-selector", "metadata.name=two", "-o", "name") == "pod/two\n"


def test_get_watch_sees_a_pod_become_ready_and_go(kubectl: Kubectl) -> None:
    kubectl.create(pod("before"))
    running(kubectl, "before")
    with kubectl.lines("get", "pods", "-w") as lines:
        next(line for line in lines if line.startswith("before"))
        kubectl.create(pod("seen"))
        next(line for line in lines if line.startswith("seen") and "1/1" in line and "Running" in line)
        kubectl("delete", "pod", "seen")
        next(line for line in lines if line.startswith("seen") and "Terminating" in line)


@pytest.mark.parametrize("kind", ["pod", "rc", "service", "node", "namespace"])
def test_describe(kubectl: Kubectl, kind: str) -> None:
    if kind in ("pod", "rc", "service"):
        kubectl.create(replication_controller("shown", 1), service("shown", app="shown"))
        name = eventually(lambda: kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}"))
        running(kubectl, name)
    target = {"pod": "", "rc": "shown", "service": "shown", "node": "node1", "namespace": kubectl.namespace}[kind]
    text = kubectl("describe", kind, *([target] if target else []))
    expected = {
        "pod": ["Status:", "Running", "IP:", "Events:", "Started", "Scheduled"],
        "rc": ["Replicas:", "1 current / 1 desired", "SuccessfulCreate"],
        "service": ["Selector:", "app=shown", "TargetPort:", ":8080"],
        "node": ["Capacity:", "cpu:", "PodCIDR:", "Ready", "Container Runtime Version:", "docker://"],
        "namespace": ["Status:", "Active"],
    }[kind]
    for word in expected:
        assert word in text, text


def test_create_scale_and_delete_a_replication_controller_with_its_pods(kubectl: Kubectl) -> None:
    kubectl.create(replication_controller("fleet", 1))
    kubectl("scale", "rc", "fleet", "--replicas=3")

    def ready() -> int:
        return int(kubectl("get", "rc", "fleet", "-o", "jsonpath={.status.readyReplicas}") or 0)

    eventually(lambda: ready() == 3)
    assert len(set(kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split())) > 1
    kubectl("scale", "rc", "fleet", "--replicas=1", "--current-replicas=3")
    eventually(lambda: len(kubectl.json("get", "pods")["items"]) == 1)
    refusal = kubectl.refused("scale", "rc", "fleet", "--replicas=2", "--current-replicas=3")
    assert "replicas" in refusal
    kubectl("delete", "rc", "fleet")
    eventually(lambda: kubectl.json("get", "pods")["items"] == [])


def test_delete_of_an_rc_with_orphan_leaves_its_pods(kubectl: Kubectl) -> None:
    kubectl.create(replication_controller("parent", 1))
    name = eventually(lambda: kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}"))
    newer = "unknown flag" not in kubectl.tried("delete", "rc", "none", "--cascade=orphan").stderr
    orphan = "--cascade=orphan" if newer else "--cascade=false"
    kubectl("delete", "rc", "parent", orphan)
    eventually(lambda: kubectl.json("get", "rc")["items"] == [])
    left = eventually(lambda: kubectl.json("get", "pod", name)["metadata"].get("ownerReferences") is None)
    assert left


def test_logs_follow_the_output_of_a_container(kubectl: Kubectl) -> None:
    script = "i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo line $i; sleep 0.2; done; exec sleep 60"
    kubectl.create(pod("talks", container=shell(script)))
    running(kubectl, "talks")
    with kubectl.lines("logs", "-f", "talks") as lines:
        seen = [next(lines).strip() for _ in range(5)]
    assert seen == [f"line {n}" for n in range(1, 6)]
    assert kubectl("logs", "talks", "--tail=2") == "line 4\nline 5\n"
    stamped = kubectl("logs", "talks", "--timestamps", "--tail=1")
    assert stamped.split(" ", 1)[1] == "line 5\n" and stamped[:2] == "20"
    assert "is not valid" in kubectl.refused("logs", "talks", "-c", "nobody") or "nobody" in kubectl.refused(
        "logs", "talks", "-c", "nobody"
    )


def test_logs_of_an_ended_pod_and_of_the_previous_instance(kubectl: Kubectl) -> None:
    kubectl.create(pod("once", container=shell("echo done; exit 3"), restartPolicy="Never"))
    eventually(lambda: phase(kubectl, "once") == "Failed")
    assert kubectl("logs", "once") == "done\n"
    state = kubectl.json("get", "pod", "once")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (3, "Error")
    kubectl.create(pod("again", container=shell("echo instance; exec sleep 0.3")))

    def restarted() -> bool:
        # There are no container statuses before the first report of the node.
        return any(
            each["restartCount"] >= 1
            for each in kubectl.json("get", "pod", "again")["status"].get("containerStatuses", [])
        )

    eventually(restarted, within_s=60)
    assert eventually(lambda: kubectl.tried("logs", "again", "--previous").stdout) == "instance\n"


def test_label_and_its_removal(kubectl: Kubectl) -> None:
    kubectl.create(pod("tagged"))
    kubectl("label", "pod", "tagged", "colour=red")
    assert kubectl("get", "pods", "-l", "colour=red", "-o", "name") == "pod/tagged\n"
    assert "--overwrite" in kubectl.refused("label", "pod", "tagged", "colour=blue")
    kubectl("label", "pod", "tagged", "colour=blue", "--overwrite")
    kubectl("label", "pod", "tagged", "colour-")
    assert "colour" not in kubectl.json("get", "pod", "tagged")["metadata"].get("labels", {})


def test_events_record_the_life_of_a_pod(kubectl: Kubectl) -> None:
    kubectl.create(pod("story"))
    running(kubectl, "story")

    def reasons() -> set[str]:
        return {event["reason"] for event in kubectl.json("get", "events")["items"]}

    eventually(lambda: {"Scheduled", "Created", "Started"} <= reasons())
    text = kubectl("get", "events")
    assert text.split()[:5] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT"] and "pod/story" in text


def test_a_pod_may_end_before_its_grace_period_is_over(kubectl: Kubectl) -> None:
    script = "trap 'echo stopping; exit 0' TERM; while :; do sleep 0.1; done"
    kubectl.create(pod("polite", container=shell(script), terminationGracePeriodSeconds=30))
    running(kubectl, "polite")
    start = time.monotonic()
    kubectl("delete", "pod", "polite")
    assert time.monotonic() - start < 25, "it waited for the whole grace period though the container had ended"
    assert "NotFound" in kubectl.refused("get", "pod", "polite")
