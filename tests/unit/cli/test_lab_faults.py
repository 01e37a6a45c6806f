"""`sampan lab` with faults: wrong usage, and the arguments of each fault."""

from __future__ import annotations

from typing import Any

import pytest

from cli import exits
from cli.main import main
from lab import faults
from lab.faults import Way

FAULTS = ("cut", "loss", "rate", "mtu", "heal", "stop", "kill", "start", "pause", "resume", "reboot")


@pytest.mark.parametrize(
    "words",
    [
        "cut node1 --peer master --direction in",
        "cut node1 --peer node2",
        "cut node1 --from-master",
        "cut",
        "loss node1",
        "loss node1 101",
        "loss node1 much",
        "loss node1 nan",
        "rate node1 0",
        "rate node1 -5",
        "rate node1 fast",
        "mtu node1 1.5",
        "pause node1 kernel",
        "reboot",
        "create --nodes many",
    ],
)
def test_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["lab", *words.split()])
    assert raised.value.code == exits.USAGE
    assert "usage: sampan lab" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fault", "arguments"),
    [
        ("cut node1", "cut", (None,)),
        ("cut node1 --direction in", "cut", (Way.TO,)),
        ("cut node1 --direction out", "cut", (Way.FROM,)),
        ("cut node1 --peer master", "cut", (Way.FROM_MASTER,)),
        ("cut node1 --peer nodes", "cut", (Way.FROM_PEERS,)),
        ("loss node1 20%", "loss", (20.0,)),
        ("loss node1 0", "loss", (0.0,)),
        ("rate node1 2.5", "rate", (2.5,)),
        ("rate node1 none", "rate", (None,)),
        ("mtu node1 1400", "mtu", (1400,)),
        ("heal node1", "heal", ()),
        ("reboot node1", "reboot", ()),
        ("pause node1", "pause", (None,)),
        ("kill node1 engine", "kill", ("engine",)),
    ],
)
def test_a_fault_gets_its_arguments(
    words: str, fault: str, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []

    def record(cluster: Any, *given: object) -> None:
        calls.append((cluster.lab.name, *given))

    monkeypatch.setattr(faults, fault, record)
    assert main(["lab", *words.split(), "--lab", "x"]) == exits.OK
    assert calls == [("x", "node1", *arguments)]


@pytest.mark.parametrize(
    "words",
    ["loss node1 5", "rate node1 5", "mtu node1 1400", "cut node1 --direction in", "reboot node1", "heal node1"],
)
def test_a_lab_that_does_not_exist(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", *words.split(), "--lab", "not-there"]) == exits.NOT_FOUND
    assert capsys.readouterr().err == "sampan: there is no lab not-there\n"


def test_help_lists_every_action(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lab", "--help"])
    shown = capsys.readouterr().out
    for name in ("list", "create", "delete", "hosts", "exec", *FAULTS):
        assert f"\n    {name} " in shown
