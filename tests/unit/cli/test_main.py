"""The command line: exit codes, one-line errors, and help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import completion, exits
from cli.commands import GROUPS
from cli.main import main, split
from cli.parsing import MOST_NODES
from lab.network.subnets import MOST_HOSTS
from tests.runner.tiers import selection


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["status", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["lab", "hosts", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["lab", "cut", "node1", "--lab", "not-there"], exits.NOT_FOUND, "there is no lab not-there"),
        (["kubeconfig", "--kubeconfig", "/none"], exits.FAILED, "cannot read kubeconfig /none"),
        (["apply", "-f", "/none.yaml"], exits.FAILED, "cannot read /none.yaml"),
        (["master", "--config", "/none.toml"], exits.FAILED, "cannot read the configuration /none.toml"),
    ],
    ids=["status", "hosts", "cut", "kubeconfig", "apply", "master"],
)
def test_a_failure_is_one_line_and_a_code(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("sampan: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        "",
        "bogus",
        "lab",
        "apply",
        "token create --ttl soon",
        "status --lab Not_There",
        "lab hosts --lab -x",
        "up --nodes 0",
        "up --nodes 244",
        "lab cut Node_1",
        "lab mtu node1 10",
        "lab logs node/1",
        "lab capture node1 a/b",
        "join 10.0.0.1 --token - --ca-hash sha256:0 --node-name Node_1",
        "join 10.0.0.1 --token - --ca-hash sha256:0 --node-address here",
        "install agent --node-name Node_1",
        "certs rotate Node_1",
        "certs rotate --lab Lab_1",
        "token revoke abc",
        "delete frontend",
        "delete rc/",
        "delete 1rc/web",
        "delete rc/a/b",
        "delete rc/web service",
        "delete pods web --all",
        "delete pod/web --force --grace-period 5",
        "get",
        "get pods/",
        "get pods a/b",
        "get ,pods",
        "get pods -o xml",
        "events --for web",
        "scale rc/web",
        "scale rc/web --replicas many",
        "logs web --since soon",
        "logs pod/a/b",
        "explain",
        # No abbreviations:
        "up --no-ex",
        "lab cut node1 --dir in",
        "token create --tt 1h",
    ],
)
def test_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words.split())
    assert raised.value.code == exits.USAGE
    assert "usage: sampan" in capsys.readouterr().err


def test_the_most_nodes_are_those_that_a_lab_has_room_for() -> None:
    assert MOST_NODES == MOST_HOSTS - 1


def test_the_kubeconfig_of_a_lab_that_does_not_exist_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeconfig", "--path", "--lab", "nowhere"]) == exits.NOT_FOUND
    assert capsys.readouterr().err == "sampan: there is no lab nowhere\n"


def test_an_unreachable_api_has_an_exit_code_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    assert main(["token", "list", "--kubeconfig", str(config)]) == exits.UNREACHABLE
    assert "no answer from https://127.0.0.1:1" in capsys.readouterr().err


def help_of(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as raised:
        main([*words, "--help"])
    assert raised.value.code == exits.OK
    return capsys.readouterr().out


def test_help_lists_every_command_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of([], capsys)
    groups = {block.split(":\n")[0]: block for block in text.split("\n\n")}
    for title, commands in GROUPS.items():
        assert [line.split()[0] for line in groups[title].splitlines()[1:]] == list(commands)
    assert all(len(line) <= 100 for line in text.splitlines())


def test_an_installation_has_no_commands_of_a_checkout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.commands.in_checkout", lambda: False)
    assert "bench" not in help_of([], capsys)
    with pytest.raises(SystemExit):
        main(["bench"])
    assert 'there is no command "bench"' in capsys.readouterr().err


@pytest.mark.parametrize("words", [node.words for node in completion.tree() if node.words], ids=" ".join)
def test_every_command_has_help_with_an_example(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(words, capsys)
    assert "\nexample:\n  " in text
    assert f"sampan {' '.join(words)}" in text.partition("\nexample:\n")[2]


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
        (["clients", "-k", "helm"], ["tests/clients", "-k", "helm"]),
    ],
    ids=["all", "tiers", "tier-and-options", "options", "long", "path", "vm", "vm-and-tier", "on-request"],
)
def test_the_arguments_of_pytest(words: list[str], given: list[str]) -> None:
    assert split(["--debug", "test", *words]) == (["--debug", "test"], words)
    assert selection(words) == given


def test_the_arguments_of_another_program() -> None:
    assert split(["lab", "exec", "node1", "--", "ls", "--", "-l"]) == (["lab", "exec", "node1"], ["ls", "--", "-l"])
    assert split(["lab", "exec", "test", "-h"]) == (["lab", "exec", "test", "-h"], [])
    assert split(["test", "--help"]) == (["test", "--help"], [])


def test_without_a_lab_the_status_is_that_of_the_user_s_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for module in ("cli.options", "cli.status"):
        monkeypatch.setattr(f"{module}.DEFAULT_LAB", "not-there")
    words = ["status", "--lab", "not-there"]
    assert main(words) == exits.NOT_FOUND
    assert "there is no lab not-there" in capsys.readouterr().err
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}],"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]}"
    )
    assert main(words) == exits.UNREACHABLE
    assert "no answer from https://127.0.0.1:1" in capsys.readouterr().err
