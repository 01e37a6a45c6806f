"""A lab as a drawing: from its record, its processes and the API's answers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from cli import exits
from cli.main import main
from client.errors import ConnectionFailed
from hull import processes
from hull.processes import ProcessRecord
from lab.cluster import Cluster
from lab.environment import clean_environment
from lab.lab import Lab
from lab.layout import Layout
from lab.picture import Found, NodeSeen, PodSeen, collect, drawing_of
from lab.state import HostState, LabState, StateFile
from lab.wire import Way, Wire
from netrig.drawing import Cable, Item, Place, Tone, svg

NET = IPv4Network("10.77.3.0/24")
HOSTS = (
    HostState("master", "master", NET[10]),
    HostState("node1", "node", NET[11]),
    HostState("node2", "node", NET[12], cut=True, wire=Wire(frozenset({Way.TO}), 20.0, 10.0, 1400)),
)
STATE = LabState("default", NET, HOSTS)
UP = {"agent": "up", "engine": "up"}
FOUND = Found(
    STATE,
    "sampan-37a8eec1",
    {"master": {"master": "up"}, "node1": UP, "node2": {"agent": "paused", "engine": "stopped"}},
    "up",
    {
        "node1": NodeSeen("node1", "Ready", "10.244.0.0/24"),
        "node2": NodeSeen("node2", "Unknown", "10.244.1.0/24"),
    },
    (
        PodSeen("shop", "web", "node1", "10.244.0.3", "Running"),
        PodSeen("default", "db", "node1", "", "Pending"),
        PodSeen("default", "homeless", "", "", "Pending"),
    ),
)


def place(found: Found, name: str) -> Place:
    return next(place for place in drawing_of(found).places if place.name == name)


def cable(found: Found, name: str) -> Cable:
    return next(cable for cable in drawing_of(found).cables if name in cable.places)


def test_hosts_with_processes_and_pods_in_their_nodes() -> None:
    node1, node2 = place(FOUND, "node1"), place(FOUND, "node2")
    assert [item.cells for item in node1.processes] == [("agent", "up"), ("engine", "up"), ("node", "Ready")]
    assert [item.tone for item in node2.processes] == [Tone.PAUSED, Tone.BAD, Tone.BAD]
    assert node1.pods_title == "pods 10.244.0.0/24"
    assert node1.pods == (
        Item(Tone.WAITING, ("db", "-", "Pending"), "default/db"),
        Item(Tone.GOOD, ("shop/web", "10.244.0.3", "Running"), "shop/web"),
    )
    assert node2.pods_title == "pods 10.244.1.0/24: none"


def test_a_pod_without_a_node_is_not_lost() -> None:
    master = place(FOUND, "master")
    assert (master.pods_title, [pod.cells[0] for pod in master.pods]) == ("pods without a node", ["homeless"])
    assert place(replace(FOUND, pods=()), "master").pods_title == ""


def test_cables_with_addresses_and_what_is_wrong_with_them() -> None:
    good, bad, leg = cable(FOUND, "node1"), cable(FOUND, "node2"), cable(FOUND, "this machine")
    assert (good.ends, good.words, good.faults, good.cut) == (("", "eth0 10.77.3.11/24"), ("mtu 1500",), (), False)
    assert bad.cut
    assert bad.faults == ("cut", "cut to", "loss 20 %", "rate 10 Mbit/s", "mtu 1400")
    assert bad.words == ()
    assert leg.ends[1] == "sampan-37a8eec1 10.77.3.254/24"


def test_the_masters_side_is_above_the_bridge() -> None:
    assert {place.name for place in drawing_of(FOUND).places if place.above} == {"master", "this machine"}


def test_without_an_api_it_says_so_and_shows_the_hosts() -> None:
    drawing = drawing_of(replace(FOUND, nodes={}, pods=(), silence="the master does not run"))
    assert drawing.notes == ("no pods are shown: the master does not run",)
    assert {place.pods_title for place in drawing.places} == {""}
    assert "node2" in svg(drawing)


class FakeClient:
    """Answers with these documents; without any, not at all."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents

    def get(self, path: str, *, timeout_s: float) -> Any:
        if not self._documents:
            raise ConnectionFailed("10.77.3.10:6443: no route to host; " + "and more of it " * 50)
        return self._documents[path]


@contextmanager
def running(tmp_path: Path, documents: Mapping[str, Any]) -> Iterator[Cluster]:
    """A recorded lab of which some processes run, with a client that answers so."""
    sleepers = [processes.start(["sleep", "60"], log=tmp_path / "log", env=clean_environment()) for _ in range(4)]
    ended = ProcessRecord(sleepers[0].pid, sleepers[0].started - 1)
    own = [
        {"master": sleepers[0]},
        {"agent": ended, "containerd": sleepers[1], "dockerd": sleepers[2]},
        {"agent": sleepers[3]},
    ]
    hosts = tuple(replace(host, processes=found) for host, found in zip(HOSTS, own, strict=True))
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
        os.waitpid(sleepers[2].pid, os.WUNTRACED)  # until the signal has come to it
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


def test_what_runs_is_paused_or_is_not_there(tmp_path: Path) -> None:
    with running(tmp_path, DOCUMENTS) as cluster:
        found = collect(cluster)
    assert found.conditions == {
        "master": {"master": "up"},
        "node1": {"agent": "stopped", "engine": "paused"},
        "node2": {"agent": "up", "engine": "stopped"},
    }
    assert found.registry == ""
    assert {name: (node.status, node.pod_cidr) for name, node in found.nodes.items()} == {
        "node1": ("NotReady", "10.244.0.0/24"),
        "node2": ("Unknown", ""),
    }
    assert {pod.name: pod.phase for pod in found.pods} == {
        "good": "Running",
        "slow": "not ready",
        "going": "Terminating",
        "done": "Succeeded",
        "new": "Pending",
    }


def test_an_api_that_is_silent_is_a_note(tmp_path: Path) -> None:
    with running(tmp_path, {}) as cluster:
        found = collect(cluster)
    assert found.silence.startswith("the API does not answer (10.77.3.10:6443: no route to host")
    assert len(found.silence) < 150
    (tmp_path / "default" / "kubeconfig").unlink()
    assert collect(cluster).silence == "the master does not run"


def test_hosts_of_a_lab_without_a_cluster_are_not_called_broken() -> None:
    never = {"agent": "not started", "engine": "not started"}
    found = replace(FOUND, conditions={"node1": never})
    assert {item.tone for item in place(replace(found, nodes={}), "node1").processes} == {Tone.ENDED}


@pytest.mark.parametrize("file", [None, "here.svg", "-"])
def test_the_command_writes_a_file_or_to_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str | None
) -> None:
    monkeypatch.setattr("lab.picture.collect", lambda cluster: FOUND)
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "draw", "--lab", "shop", *([file] if file else [])]) == exits.OK
    printed = capsys.readouterr().out
    wanted = svg(drawing_of(FOUND))
    if file == "-":
        assert printed == wanted
        assert list(tmp_path.iterdir()) == []
    else:
        assert printed == f"{file or 'shop.svg'}\n"
        assert (tmp_path / printed.strip()).read_text() == wanted


def test_a_lab_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "draw", "--lab", "no-such-lab", "-"]) == exits.NOT_FOUND
    assert "there is no lab no-such-lab" in capsys.readouterr().err
