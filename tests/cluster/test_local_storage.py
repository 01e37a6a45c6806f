"""Pods that write more to their node's disk than they may: what real containers have written, and how the pods end."""

from __future__ import annotations

from typing import Any

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell

MEASURED_S = 60.0
"""What a pod has written is counted every 10 s."""


def writing(name: str, file: str, *, mib: int, limit: str = "", size: str = "") -> Any:
    """A pod that writes a file, and then sleeps."""
    container = {
        **shell(f"head -c {mib << 20} /dev/zero > {file}; exec sleep 3600"),
        "resources": {"limits": {"ephemeral-storage": limit}} if limit else {},
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    empty_dir = {"sizeLimit": size} if size else {}
    return pod(name, container=container, volumes=[{"name": "scratch", "emptyDir": empty_dir}])


def test_pods_that_write_too_much_are_evicted(cluster: Cluster, kubectl: Kubectl) -> None:
    pods = {
        "volume": (
            writing("volume", "/scratch/file", mib=3, size="1Mi"),
            'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ',
        ),
        "layer": (
            writing("layer", "/file", mib=3, limit="2Mi"),
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
        ),
    }
    kubectl.create(writing("modest", "/scratch/file", mib=3, limit="50Mi", size="50Mi"))
    for made, _ in pods.values():
        kubectl.create(made)
    for name, (_, message) in pods.items():
        status = eventually(lambda name=name: ended(kubectl, name), within_s=MEASURED_S)  # type: ignore[misc]
        assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", message)
        (container,) = status["containerStatuses"]
        assert container["state"]["terminated"]["exitCode"] == 137 and container["restartCount"] == 0
        events = kubectl.json("get", "events", f"--field-selector=involvedObject.name={name},reason=Evicted")["items"]
        assert [(event["type"], event["message"]) for event in events] == [("Warning", message)]
    assert kubectl.json("get", "pod", "modest")["status"]["phase"] == "Running"


def ended(kubectl: Kubectl, name: str) -> dict[str, Any] | None:
    status: dict[str, Any] = kubectl.json("get", "pod", name)["status"]
    return status if status["phase"] == "Failed" else None
