"""The commands that README.md and docs/lab.md print, typed one after another as a reader does, on one lab."""

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

# Runs one command in the environment that the one before left.
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
    """Types a command in a directory that looks like the checkout, and returns what it printed."""
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
def test_the_printed_commands_work_in_their_order(lab_name: str, run: Run) -> None:
    network = PRINTED_NETWORK
    for block in run_blocks():
        printed = []
        for command in block.commands:
            output = run(command.replace(PRINTED_NETWORK, network))
            printed += [_shape(line.replace(lab_name, "default")) for line in output.splitlines()]
            if command == "./sampan up":
                network = str(Lab(lab_name).state.master.address).rpartition(".")[0] + "."
        assert _missing(block, printed) == [], f"{block}: the page shows lines that are not printed"
    assert list(leftovers(lab_name)) == []


def _missing(block: Block, printed: list[str]) -> list[str]:
    """The lines of output on the page that no command of the block printed. An ellipsis stands for other lines."""
    return [line for line in block.output if line.strip() not in ("", "…") and _shape(line) not in printed]


def _shape(line: str) -> str:
    """Numbers and the width of columns differ from run to run."""
    return re.sub(r"\d+", "0", " ".join(line.split()))
