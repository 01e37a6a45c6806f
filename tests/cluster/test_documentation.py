"""Runs the commands that README.md and docs/lab.md show, one after another on one lab, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.lab import Lab, delete, leftovers
from lab.plugin.clusters import NAMES
from tests.documentation import ROOT, Block, run_blocks

PRINTED_NETWORK = "10.77.0."
"""The addresses on the pages. Another lab has another /24."""

# Runs one command with the environment variables that the previous command left.
SHELL = """\
. ./environment
{command}
status=$?
export -p > ./environment
exit $status
"""

Run = Callable[[str], str]


@pytest.fixture
def lab_name() -> Iterator[str]:
    name = NAMES.new()
    yield name
    delete(name)


@pytest.fixture
def run(lab_name: str, kubectl_binary: Path, tmp_path: Path) -> Run:
    """Runs a command in a directory that looks like the checkout, and returns its output."""
    for path in ROOT.iterdir():
        if not path.name.startswith("."):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "environment").touch()
    environment = {
        **{name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
        "HOME": str(tmp_path),
        "PATH": f"{kubectl_binary.parent}:{os.environ['PATH']}",
        "SAMPAN_LAB": lab_name,
    }

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", SHELL.format(command=command)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\nexit code {done.returncode}\n{done.stdout}"
        return done.stdout

    return run


@pytest.mark.timeout(240)
def test_the_commands_of_the_pages_work_in_their_order(lab_name: str, run: Run) -> None:
    network = PRINTED_NETWORK
    for block in run_blocks():
        printed = []
        for command in block.commands:
            output = run(command.replace(PRINTED_NETWORK, network))
            printed += [_shape(line.replace(lab_name, "default")) for line in output.splitlines()]
            if command == "./sampan up":
                network = str(Lab(lab_name).state.master.address).rpartition(".")[0] + "."
        assert _missing(block, printed) == [], f"{block}: the page shows lines that no command printed"
    assert list(leftovers(lab_name)) == []


def _missing(block: Block, printed: list[str]) -> list[str]:
    """The lines of output on the page that no command of the block printed. An ellipsis stands for other lines."""
    return [line for line in block.output if line.strip() not in ("", "…") and _shape(line) not in printed]


def _shape(line: str) -> str:
    """The line without what differs from run to run: numbers and the width of columns."""
    return re.sub(r"\d+", "0", " ".join(line.split()))
