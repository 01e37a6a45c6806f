"""`sampan check`: options override the configuration, and the configuration overrides defaults."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import check_command, exits
from cli.main import main
from host.config import complete, text_of
from host.layout import HostLayout
from host.membership.agent_toml import chosen
from host.preflight import gather
from host.preflight.facts import Facts
from host.preflight.gather import Subject
from tests.unit.host.test_preflight_findings import FIT, but


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Subject]:
    """What `sampan check` with these options judges."""

    def of(*words: str) -> Subject:
        judged: list[Subject] = []
        monkeypatch.setattr(gather, "gather", lambda made: judged.append(made) or FIT)
        main(["check", *words])
        return judged[0]

    return of


def test_an_installed_host_that_has_no_master_yet_can_be_checked(
    tmp_path: Path, subject: Callable[..., Subject]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text_of("agent", HostLayout(), {"node_name": "n"}))
    assert (subject("--config", str(path)).master, subject("--config", str(path)).node_name) == ("", "n")
    judged = subject("--config", str(path), "--master", "10.0.0.1", "--node-name", "other")
    assert (judged.master, judged.node_name) == ("https://10.0.0.1:6443", "other")


def test_a_master_s_ports_and_networks_are_its_own(tmp_path: Path, subject: Callable[..., Subject]) -> None:
    path = tmp_path / "master.toml"
    path.write_text('data_dir = "/srv/m"\napi_port = 7443\ncluster_cidr = "10.50.0.0/16"\n')
    found = subject("--role", "master", "--config", str(path))
    assert (found.ports, str(found.cidrs.cluster), found.state_dir) == (
        ("7443/tcp", "6444/tcp"),
        "10.50.0.0/16",
        Path("/srv/m"),
    )


@pytest.mark.parametrize(
    ("facts", "code", "ids"),
    [
        pytest.param(FIT, exits.OK, [], id="fit"),
        pytest.param(but(machine__swap_bytes=1), exits.OK, ["swap"], id="warning"),
        pytest.param(but(addresses__mtu=600), exits.FAILED, ["mtu"], id="error"),
    ],
)
def test_the_exit_code_shows_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], facts: Facts, code: int, ids: list[str]
) -> None:
    monkeypatch.setattr(gather, "gather", lambda _: facts)
    assert main(["check", "-o", "json"]) == code
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ids
    assert main(["check"]) == code
    assert ("fit to be a node" in capsys.readouterr().out) is (not ids)


def test_a_token_can_be_read_from_stdin_to_keep_it_out_of_the_process_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged: list[Subject] = []
    monkeypatch.setattr(gather, "gather", lambda made: judged.append(made) or FIT)
    monkeypatch.setattr("sys.stdin", io.StringIO("abcdef.0123456789abcdef\n"))
    words = ["check", "--token", "-", "--master", "10.0.0.1", "--ca-hash", "sha256:0"]
    assert main(words) == exits.OK
    assert judged[0].token == "abcdef.0123456789abcdef"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(words) == exits.USAGE
    assert "reads the token from stdin, which is empty" in capsys.readouterr().err


def test_the_default_name_is_the_one_that_join_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subject: Callable[..., Subject]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Node-1.example.org")
    monkeypatch.setattr(check_command, "HostLayout", lambda: HostLayout(tmp_path))
    joined, _ = chosen(tmp_path / "agent.toml", {"master": "https://10.0.0.1:6443"})
    assert subject().node_name == joined.node_name == complete("agent", HostLayout(), {})["node_name"] == "node-1"


def test_a_token_is_only_sent_to_a_master_that_a_hash_proves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--token", "abcdef.0123456789abcdef", "--master", "10.0.0.1"]) == exits.USAGE
    assert "--token needs --master and --ca-hash" in capsys.readouterr().err
