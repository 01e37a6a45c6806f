"""The command line: codes, one-line errors, cheap starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli import exits
from cli.main import main, split
from tests.runner.tiers import selection

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["status", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["lab", "hosts", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["lab", "cut", "node1", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["lab", "hosts", "--lab", "Not There"], exits.FAILED, "not usable"),
        (["kubeconfig", "--kubeconfig", "/none"], exits.FAILED, "cannot read kubeconfig /none"),
        (["apply", "-f", "/none.yaml"], exits.FAILED, "cannot read /none.yaml"),
        (["master", "--config", "/none.toml"], exits.FAILED, "cannot read the configuration /none.toml"),
    ],
    ids=["status", "hosts", "cut", "bad-name", "kubeconfig", "apply", "master"],
)
def test_a_failure_is_one_line_and_a_code(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("sampan: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["lab"], ["apply"], ["token", "create", "--ttl", "soon"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == exits.USAGE
    assert "usage: sampan" in capsys.readouterr().err


def test_an_unreachable_api_has_a_code_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    assert main(["token", "list", "--kubeconfig", str(config)]) == exits.UNREACHABLE
    assert "no answer from https://127.0.0.1:1" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == exits.OK
    shown = capsys.readouterr().out
    for name in (
        "up",
        "down",
        "status",
        "lab",
        "master",
        "agent",
        "join",
        "token",
        "kubeconfig",
        "apply",
        "delete",
        "test",
        "bench",
    ):
        assert f"\n    {name}" in shown


ALL = ["tests/unit", "tests/service", "tests/kernel", "tests/examples", "tests/cluster", "tests/machine"]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], ALL),
        (["kernel", "unit"], ["tests/kernel", "tests/examples", "tests/unit"]),
        (["unit", "-k", "cluster", "-x"], ["tests/unit", "-k", "cluster", "-x"]),
        (
            ["-k", "unit"],
            [*ALL, "-k", "unit"],
        ),
        (["--long"], [*ALL, "--long"]),
        (["-x", "tests/unit/lab::test_a"], ["-x", "tests/unit/lab::test_a"]),
        (["--vm"], ["tests/vm"]),
        (["unit", "-x", "--vm"], ["tests/unit", "tests/vm", "-x"]),
    ],
    ids=["all", "tiers", "tier-and-options", "options", "long", "path", "vm", "vm-and-tier"],
)
def test_what_pytest_is_given(words: list[str], given: list[str]) -> None:
    assert split(["--debug", "test", *words]) == (["--debug", "test"], words)
    assert selection(words) == given


def test_what_another_program_is_given() -> None:
    assert split(["lab", "exec", "node1", "--", "ls", "--", "-l"]) == (["lab", "exec", "node1"], ["ls", "--", "-l"])
    assert split(["lab", "exec", "test", "-h"]) == (["lab", "exec", "test", "-h"], [])
    assert split(["test", "--help"]) == (["test", "--help"], [])


@pytest.mark.parametrize("command", ["master", "agent"])
def test_a_daemon_s_command_imports_nothing_of_the_lab(command: str) -> None:
    code = (
        f"import sys; from cli.main import main; main(['{command}', '--config', '/none.toml']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "cli" in loaded
    assert loaded.isdisjoint({"lab", "client", "netstack", "urllib3", "yaml", "docker", "psutil"})


def test_a_status_without_a_lab_is_that_of_the_cluster_that_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("cli.status.DEFAULT_LAB", "not-there")
    asked = ["status", "--lab", "not-there"]
    assert main(asked) == exits.NOT_FOUND
    assert "there is no lab not-there" in capsys.readouterr().err
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    assert main(asked) == exits.UNREACHABLE
    assert "no answer from https://127.0.0.1:1" in capsys.readouterr().err
