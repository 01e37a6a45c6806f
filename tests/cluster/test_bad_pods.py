"""Mistakes in pods that only the node or its engine finds: each ends in a reason that names it."""

from __future__ import annotations

from typing import Any

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell

SLEEPS = shell("exec sleep 1000")
MISSING_KEY = {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "none"}}}


def mounted(path: str, **source: Any) -> dict[str, Any]:
    """A pod with a volume at this path."""
    container = {**SLEEPS, "volumeMounts": [{"name": "v", "mountPath": path}]}
    return {"container": container, "volumes": [{"name": "v", **(source or {"emptyDir": {}})}]}


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no-command": ({"container": {"command": ["/no/such"]}}, "ContainerCannotRun", "no such file or directory"),
    "directory": ({"container": {"command": ["/etc"]}}, "ContainerCannotRun", "permission denied"),
    "over-proc": (mounted("/proc"), "ContainerCannotRun", '"/proc"'),
    "over-root": (mounted("/"), "CreateContainerError", "destination can't be '/'"),
    "no-file": (mounted("/x", hostPath={"path": "/no", "type": "File"}), "ContainerCreating", '"/no" is not a file'),
    "memory": (
        {"container": {**SLEEPS, "resources": {"limits": {"memory": "1Ki"}}}},
        "CreateContainerError",
        "Minimum memory limit allowed",
    ),
    "capability": (
        {"container": {**SLEEPS, "securityContext": {"capabilities": {"add": ["NONE_SUCH"]}}}},
        "CreateContainerError",
        "NONE_SUCH",
    ),
    "key": ({"container": {**SLEEPS, "env": [MISSING_KEY]}}, "CreateContainerConfigError", 'no key "none"'),
}
"""The name of a pod → its spec, the reason that its container shows, and a part of the message."""


def test_each_mistake_ends_in_a_reason_that_names_it(cluster: Cluster, kubectl: Kubectl) -> None:
    agents = [cluster.record(node.name) for node in cluster.lab.state.nodes]
    kubectl.create(*(pod(name, restartPolicy="Never", **spec) for name, (spec, _, _) in BAD.items()))
    expected = {name: reason for name, (_, reason, _) in BAD.items()}

    def shown() -> bool:
        states = {each["metadata"]["name"]: state_of(each) for each in kubectl.json("get", "pods")["items"]}
        assert {name: state.get("reason") for name, state in states.items()} == expected
        for name, (_, _, text) in BAD.items():
            assert text in states[name].get("message", ""), states[name]
        return True

    eventually(shown)
    eventually(lambda: warned(kubectl) == set(BAD))
    assert [cluster.record(node.name) for node in cluster.lab.state.nodes] == agents, "an agent was restarted"


def warned(kubectl: Kubectl) -> set[str]:
    """The objects about which there is a warning."""
    events = kubectl.json("get", "events")["items"]
    return {each["involvedObject"]["name"] for each in events if each["type"] == "Warning"}


def state_of(document: Any) -> dict[str, Any]:
    """The state of a pod's container: what it waits for, or how it ended."""
    [status] = document["status"].get("containerStatuses") or [{}]
    state = status.get("state", {})
    return dict(state.get("waiting") or state.get("terminated") or {})
