"""What a drawing of a lab finds out: the states of processes, and the answers of the API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from client.errors import ConnectionFailed
from hull import processes
from hull.processes import ProcessRecord
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.lab import Lab
from lab.layout import Layout
from lab.picture import collect
from lab.state import HostState, LabState, StateFile

NET = IPv4Network("10.77.3.0/24")
HOSTS = (
    HostState("master", "master", NET[10]),
    HostState("node1", "node", NET[11]),
    HostState("node2", "node", NET[12]),
)
STATE = LabState("default", NET, HOSTS)


class FakeClient:
    """Answers with these documents; fails if there are none."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents

    def get(self, path: str, *, timeout_s: float) -> Any:
        if not self._documents:
            raise ConnectionFailed("10.77.3.10:6443: no route to host; " + "and more details " * 50)
        return self._documents[path]


@contextmanager
def running(tmp_path: Path, documents: Mapping[str, Any]) -> Iterator[Cluster]:
    """A recorded lab with some running processes, and a client with these answers."""
    sleepers = [processes.start(["sleep", "60"], log=tmp_path / "log", env=clean_environment()) for _ in range(4)]
    ended = ProcessRecord(sleepers[0].pid, sleepers[0].started - 1)
    recorded = [
        {"master": sleepers[0]},
        {"agent": ended, "containerd": sleepers[1], "dockerd": sleepers[2]},
        {"agent": sleepers[3]},
    ]
    hosts = tuple(replace(host, processes=own) for host, own in zip(HOSTS, recorded, strict=True))
    layout = Layout("default", labs_root=tmp_path)
    StateFile(layout).save(replace(STATE, hosts=hosts))
    layout.kubeconfig.write_text("")
    lab = Lab("default")
    lab.layout, lab.file = layout, StateFile(layout)

    class Fake(Cluster):
        @contextmanager
        def client(self) -> Any:  # type: ignore[override]
            yield FakeClient(documents)

    try:
        processes.pause(sleepers[2])
        os.waitpid(sleepers[2].pid, os.WUNTRACED)  # returns when the signal has arrived
        yield Fake(lab)
    finally:
        for sleeper in sleepers:
            processes.kill(sleeper)


DOCUMENTS = {
    "/api/v1/nodes": {
        "items": [
            {
                "metadata": {"name": "node1"},
                "spec": {"podCIDR": "10.244.0.0/24"},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            },
            {"metadata": {"name": "node2"}, "spec": {}},
        ]
    },
    "/api/v1/pods": {
        "items": [
            {
                "metadata": {"namespace": "default", "name": name, **extra},
                "spec": {"nodeName": "node1"},
                "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
            }
            for name, phase, ready, extra in (
                ("good", "Running", "True", {}),
                ("slow", "Running", "False", {}),
                ("going", "Running", "True", {"deletionTimestamp": "2026-01-01T00:00:00Z"}),
                ("done", "Succeeded", "False", {}),
            )
        ]
        + [{"metadata": {"namespace": "default", "name": "new"}, "spec": {}}]
    },
}


def test_processes_are_up_paused_stopped(tmp_path: Path) -> None:
    with running(tmp_path, DOCUMENTS) as cluster:
        lab = collect(cluster)
    assert lab.conditions == {
        "master": {"master": "up"},
        "node1": {"agent": "stopped", "engine": "paused"},
        "node2": {"agent": "up", "engine": "stopped"},
    }
    assert lab.registry == ""
    assert {name: (node.status, node.pod_cidr) for name, node in lab.nodes.items()} == {
        "node1": ("NotReady", "10.244.0.0/24"),
        "node2": ("Unknown", ""),
    }
    assert {pod.name: pod.phase for pod in lab.pods} == {
        "good": "Running",
        "slow": "not ready",
        "going": "Terminating",
        "done": "Succeeded",
        "new": "Pending",
    }


def test_the_error_of_a_silent_api_is_shortened(tmp_path: Path) -> None:
    with running(tmp_path, {}) as cluster:
        lab = collect(cluster)
    assert lab.api_error.startswith("the API does not answer (10.77.3.10:6443: no route to host")
    assert len(lab.api_error) < 150
    (tmp_path / "default" / "kubeconfig").unlink()
    assert collect(cluster).api_error == "the master does not run"
