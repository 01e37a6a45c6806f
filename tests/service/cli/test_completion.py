"""Completion scripts: what each shell offers, and that making them needs the standard library only."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from cli import completion, shells
from cli.main import main
from cli.shells import Completions

ROOT: Final = Path(__file__).resolve().parents[3]
CASES: Final[Mapping[str, set[str]]] = {
    "sampan st": {"status"},
    "sampan lab cu": {"cut"},
    "sampan lab cut node1 --p": {"--peer"},
    "sampan lab cut node1 --peer ": {"master", "nodes"},
    "sampan lab cut --lab x node1 --direction ": {"in", "out"},
    "sampan --debug up --no-": {"--no-examples"},
    "sampan up -o j": {"json"},
    "sampan install ": {"agent", "master"},
    "sampan certs ro": {"rotate"},
    "sampan token del": set(),
}
"""What is offered for a line. An alias is not."""
BY_POSITION: Final[Mapping[str, set[str]]] = {
    "sampan lab disk node1 f": {"fill"},
    "sampan lab disk node1 limit f": set(),
    "sampan lab stop --lab = x node1 ag": {"agent"},
}
BASH: Final = """
source /dev/stdin
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_sampan
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def tree() -> list[Completions]:
    return list(completion.tree())


@pytest.mark.parametrize(("line", "offered"), [*CASES.items(), *BY_POSITION.items()])
def test_bash_offers(line: str, offered: set[str], tree: list[Completions]) -> None:
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    assert run("bash", "-c", BASH, "bash", *words, script=shells.bash(tree)) == offered


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
@pytest.mark.parametrize(("line", "offered"), CASES.items())
def test_fish_offers(line: str, offered: set[str], tree: list[Completions]) -> None:
    script = shells.fish(tree) + f"complete -C {shlex.quote(line)}\n"
    assert {entry.partition("\t")[0] for entry in run("fish", "--no-config", script=script)} == offered


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_reads_its_script(tree: list[Completions]) -> None:
    assert run("zsh", "-n", script=shells.zsh(tree)) == set()


def test_labs_and_hosts_are_looked_up(tree: list[Completions], tmp_path: Path) -> None:
    for lab, host in (("default", "node1"), ("default", "master"), ("small", "node7")):
        (tmp_path / lab / "hosts" / host).mkdir(parents=True)
    script = shells.bash(tree).replace("/var/lib/sampan/labs", str(tmp_path))
    assert run("bash", "-c", BASH, "bash", "sampan", "up", "--lab", "", script=script) == {"default", "small"}
    assert run("bash", "-c", BASH, "bash", "sampan", "lab", "heal", "", script=script) == {"master", "node1"}
    of_small = f"SAMPAN_LAB=small; {BASH}"
    assert run("bash", "-c", of_small, "bash", "sampan", "lab", "heal", "", script=script) == {"node7"}


def test_the_directory_of_labs_is_the_lab_s_own() -> None:
    from lab.layout import LABS_ROOT

    assert str(LABS_ROOT) == shells._LABS


def test_a_quote_in_a_summary_does_not_end_a_word_of_the_shell() -> None:
    summary = "a host's $cable"
    assert run("bash", script=f"printf '%s' {shells._quoted(summary)}") == {summary}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_as_it_is_installed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    scripts = completion.scripts()
    assert capsys.readouterr().out in scripts.values()
    assert all(path.startswith("/usr/local/share/") for path in scripts)


def test_scripts_and_help_need_the_standard_library_only() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli import completion; completion.scripts()"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(*command: str, script: str) -> set[str]:
    """The lines that a shell prints which reads the script."""
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return set(filter(None, done.stdout.splitlines()))
