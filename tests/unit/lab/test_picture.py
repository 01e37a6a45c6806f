"""A drawing of a lab: from its record, its processes and the answers of the API."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cli import exits
from cli.main import main
from lab.picture import NodeSeen, Observed, PodSeen, drawing_of
from lab.state import HostState, LabState
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
LAB = Observed(
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
        PodSeen("default", "unbound", "", "", "Pending"),
    ),
)


def place(lab: Observed, name: str) -> Place:
    return next(place for place in drawing_of(lab).places if place.name == name)


def cable(lab: Observed, name: str) -> Cable:
    return next(cable for cable in drawing_of(lab).cables if name in cable.places)


def test_hosts_show_their_processes_and_nodes_their_pods() -> None:
    node1, node2 = place(LAB, "node1"), place(LAB, "node2")
    assert [item.cells for item in node1.processes] == [("agent", "up"), ("engine", "up"), ("node", "Ready")]
    assert [item.tone for item in node2.processes] == [Tone.PAUSED, Tone.BAD, Tone.BAD]
    assert node1.pods_title == "pods 10.244.0.0/24"
    assert node1.pods == (
        Item(Tone.WAITING, ("db", "-", "Pending"), "default/db"),
        Item(Tone.GOOD, ("shop/web", "10.244.0.3", "Running"), "shop/web"),
    )
    assert node2.pods_title == "pods 10.244.1.0/24: none"


def test_unbound_pods_are_shown_beside_the_master() -> None:
    master = place(LAB, "master")
    assert (master.pods_title, [pod.cells[0] for pod in master.pods]) == ("unbound pods", ["unbound"])
    assert place(replace(LAB, pods=()), "master").pods_title == ""


def test_cables_show_their_addresses_and_faults() -> None:
    good, bad, outside = cable(LAB, "node1"), cable(LAB, "node2"), cable(LAB, "this machine")
    assert (good.ends, good.words, good.faults, good.cut) == (("", "eth0 10.77.3.11/24"), ("mtu 1500",), (), False)
    assert bad.cut
    assert bad.faults == ("cut", "cut to", "loss 20 %", "rate 10 Mbit/s", "mtu 1400")
    assert bad.words == ()
    assert outside.ends[1] == "sampan-37a8eec1 10.77.3.254/24"


def test_the_master_and_the_machine_are_above_the_bridge() -> None:
    assert {place.name for place in drawing_of(LAB).places if place.above} == {"master", "this machine"}


def test_without_an_api_the_hosts_are_shown_with_a_note() -> None:
    drawing = drawing_of(replace(LAB, nodes={}, pods=(), api_error="the master does not run"))
    assert drawing.notes == ("no pods are shown: the master does not run",)
    assert {place.pods_title for place in drawing.places} == {""}
    assert "node2" in svg(drawing)


def test_daemons_that_were_never_started_are_not_shown_as_broken() -> None:
    never = {"agent": "not started", "engine": "not started"}
    lab = replace(LAB, conditions={"node1": never})
    assert {item.tone for item in place(replace(lab, nodes={}), "node1").processes} == {Tone.ENDED}


@pytest.mark.parametrize("file", [None, "here.svg", "-"])
def test_the_command_writes_a_file_or_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str | None
) -> None:
    monkeypatch.setattr("lab.picture.collect", lambda cluster: LAB)
    monkeypatch.chdir(tmp_path)
    assert main(["lab", "draw", "--lab", "shop", *([file] if file else [])]) == exits.OK
    printed = capsys.readouterr().out
    expected = svg(drawing_of(LAB))
    if file == "-":
        assert printed == expected
        assert list(tmp_path.iterdir()) == []
    else:
        assert printed == f"{file or 'shop.svg'}\n"
        assert (tmp_path / printed.strip()).read_text() == expected


def test_a_missing_lab_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "draw", "--lab", "no-such-lab", "-"]) == exits.NOT_FOUND
    assert "there is no lab no-such-lab" in capsys.readouterr().err
