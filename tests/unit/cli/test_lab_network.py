"""`sampan lab logs`, `capture`, `probe`, `disk`, `clock` and `list`: what they are given, and what they print."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import exits
from cli.main import main
from lab import faults, lab
from lab.faults import disk
from lab.layout import Layout
from netrig import capture
from netrig import probe as probes
from netrig.capture.flows import Flow, Summary
from netrig.probe import Outcome, Probe, Result, http, icmp, tcp, udp

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sampan(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(words: str) -> tuple[int, str, str]:
        code = main(words.split())
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture(autouse=True)
def _lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that has every host."""
    state = SimpleNamespace(host=lambda name: SimpleNamespace(name=name, role="node"))
    monkeypatch.setattr(lab.Lab, "state", state)


@pytest.mark.parametrize(
    "words",
    [
        "logs",
        "logs node1 kernel",
        "logs node1 --tail -1",
        "capture node1",
        "capture node1 eth0 --seconds 0",
        "probe node1",
        "probe node1 sctp 10.0.0.1 1",
        "probe node1 tcp node2 1",
        "probe node1 tcp 10.0.0.1 0",
        "probe node1 tcp 10.0.0.1 http",
        "disk node1",
        "disk node1 heat",
        "disk node1 limit 16X",
        "disk node1 limit 0",
        "clock node1",
        "clock node1 tomorrow",
        "clock node1 1w",
    ],
)
def test_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["lab", *words.split()])
    assert raised.value.code == exits.USAGE
    assert f"usage: sampan lab {words.split()[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("disk node1 limit", "`limit` needs a SIZE"),
        ("disk node1 fill 16M", "the other actions take none"),
        ("probe node1 tcp 10.0.0.1", "a probe by tcp needs a PORT"),
        ("probe node1 icmp 10.0.0.1 80", "a probe by icmp has no PORT"),
    ],
)
def test_arguments_that_do_not_fit_together(words: str, says: str, sampan: Run) -> None:
    code, _, error = sampan(f"lab {words}")
    assert code == exits.USAGE
    assert says in error


@pytest.mark.parametrize(
    ("words", "function", "arguments"),
    [
        ("disk node1 limit 16M", "limit", (16 << 20,)),
        ("disk node1 limit 65536", "limit", (65536,)),
        ("disk node1 fill", "fill", ()),
        ("disk node1 refuse", "refuse", ()),
        ("disk node1 heal", "undo", ()),
        ("clock node1 +1h", "set_clock", (3600.0,)),
        ("clock node1 90s", "set_clock", (90.0,)),
        ("clock node1 -30m", "set_clock", (-1800.0,)),
        ("clock node1 -1.5", "set_clock", (-1.5,)),
        ("clock node1 heal", "reset_clock", ()),
    ],
)
def test_disk_and_clock(
    words: str, function: str, arguments: tuple[object, ...], sampan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    module = faults if words.startswith("clock") else disk
    monkeypatch.setattr(module, function, lambda cluster, *given: calls.append((cluster.lab.name, *given)))
    assert sampan(f"lab {words} --lab x")[0] == exits.OK
    assert calls == [("x", "node1", *arguments)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tcp 10.0.0.2 80", tcp("10.0.0.2", 80)),
        ("udp 10.0.0.2 53 --timeout 0.5", udp("10.0.0.2", 53, timeout_s=0.5)),
        ("icmp 10.0.0.2", icmp("10.0.0.2")),
        ("http 10.0.0.2", http("10.0.0.2", 80)),
        ("http 10.0.0.2 8080 --path /healthz", http("10.0.0.2", 8080, path="/healthz")),
    ],
)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_probe(words: str, expected: Probe, outcome: Outcome, sampan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Prober:
        def __init__(self, where: str, *, name: str) -> None:
            assert (where, name) == ("sampan-x-node1", "node1")

        def one(self, probe: Probe) -> Result:
            assert probe == expected
            return Result("node1", probe, outcome, 0.0123)

    monkeypatch.setattr(probes, "Prober", Prober)
    code = exits.OK if outcome is Outcome.REPLY else exits.FAILED
    assert sampan(f"lab probe node1 {words} --lab x") == (
        code, f"node1 → {expected}: {outcome} after 12.3 ms\n", ""
    )  # fmt: skip
    found = sampan(f"lab probe node1 {words} --lab x -o json")
    assert found[0] == code
    assert json.loads(found[1]) == {
        "from": "node1",
        "probe": str(expected),
        "outcome": str(outcome),
        "seconds": 0.0123,
        "detail": "",
        "server": "",
        "status": None,
    }


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The arguments of each capture, and whether it ended; it sees one flow."""
    calls: list[tuple[object, ...]] = []

    class Capture:
        def __init__(self, where: str, interface: str, *, path: Path | None) -> None:
            calls.append((where, interface, path))

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            calls.append(("ended",))

        def summary(self) -> Summary:
            return Summary((Flow("tcp", "10.0.0.1:80", "10.0.0.2:4000", 3, 200, "S."),), 3, left_out=1)

    monkeypatch.setattr(capture, "Capture", Capture)
    return calls


def test_a_capture_ends_after_its_time(sampan: Run, captured: list[tuple[object, ...]]) -> None:
    code, output, error = sampan("lab capture node1 eth0 --seconds 0.01 --file a.pcap --lab x")
    assert code == exits.OK
    assert captured == [("sampan-x-node1", "eth0", Path("a.pcap")), ("ended",)]
    assert output == "3 packets, 1 not in the file\n  tcp 10.0.0.1:80 > 10.0.0.2:4000 [S.]: 3 packets, 200 B\n"
    assert error == "capturing eth0 of node1; for 0.01 s\n"
    document = json.loads(sampan("lab capture node1 eth0 --seconds 0.01 -o json")[1])
    assert (document["packets"], document["notInFile"]) == (3, 1)
    assert document["flows"][0]["source"] == "10.0.0.1:80"


def test_a_capture_ends_by_an_interrupt_and_is_summarized(
    sampan: Run, captured: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def wait(self, _: float | None) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("cli.lab_network.Event", Interrupted)
    code, output, error = sampan("lab capture node1 eth0")
    assert (code, output.splitlines()[0]) == (exits.OK, "3 packets, 1 not in the file")
    assert "Ctrl-C ends it" in error
    assert captured[-1] == ("ended",)


@pytest.mark.parametrize(
    ("words", "options", "files"),
    [
        ("", ["-n", "+1"], ["agent.log"]),
        ("--tail 5", ["-n", "5"], ["agent.log"]),
        ("engine -f", ["-n", "+1", "-F"], ["containerd.log", "dockerd.log"]),
    ],
)
def test_logs(
    words: str, options: list[str], files: list[str], sampan: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run: list[Any] = []
    (tmp_path / "log").mkdir()
    for name in ("agent.log", "containerd.log", "dockerd.log"):
        (tmp_path / "log" / name).touch()
    monkeypatch.setattr(lab.Lab, "host_paths", lambda *_: SimpleNamespace(logs=tmp_path / "log"))
    monkeypatch.setattr(os, "execvp", lambda program, arguments: run.append((program, arguments)))
    sampan(f"lab logs node1 {words}")
    assert run == [("tail", ["tail", *options, "--", *(str(tmp_path / "log" / name) for name in files)])]


def test_no_log_yet(sampan: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lab.Lab, "host_paths", lambda *_: SimpleNamespace(logs=tmp_path))
    code, _, error = sampan("lab logs node1")
    assert (code, error) == (exits.NOT_FOUND, "sampan: the agent of node1 has no log: it has not run yet\n")
    code, _, error = sampan("lab logs node1 master")
    assert (code, error) == (exits.FAILED, "sampan: host node1 has no master\n")


def test_labs_are_listed(sampan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "names", lambda: ["a", "b"])
    assert sampan("lab list")[:2] == (exits.OK, "a\nb\n")
    assert json.loads(sampan("lab list -o json")[1])[0] == {
        "name": "a",
        "directory": str(Layout("a").directory),
        "kubeconfig": str(Layout("a").kubeconfig),
    }
    monkeypatch.setattr(lab, "names", list)
    assert sampan("lab list")[:2] == (exits.OK, "")
    assert sampan("lab list -o json")[:2] == (exits.OK, "[]\n")
