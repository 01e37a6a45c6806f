"""Ctrl-C at growing delays in each command, which is then run again: at most one line, and the same result."""

from __future__ import annotations

import sys

import pytest

from tests.machine.bed import Machine
from tests.machine.bundle import NEWER
from tests.machine.conftest import BUNDLE, IN_MEMORY, MakeMachines
from tests.machine.hosts import Control, is_active, snapshot, together

pytestmark = pytest.mark.timeout(300)
SCRIPT = """
delays=$1
shift
times=0
for delay in $delays 0; do
    timeout --preserve-status --signal=INT $delay "$@" > /tmp/output 2> /tmp/errors
    code=$?
    # A traceback without a module of ours is of Python's own start.
    if grep --quiet -E 'site-packages/(agent|cli|client|host|hull|master|netstack|proto)/' /tmp/errors; then
        echo "after $delay s: a traceback" >&2; cat /tmp/errors >&2; exit 99
    fi
    case $code in
        0) cat /tmp/output; echo $times >&2; exit 0 ;;
        130) times=$((times + 1)) ;;
        # Python itself was still starting, and prints its own error.
        1) tail -1 /tmp/errors | grep --quiet --line-regexp KeyboardInterrupt || { cat /tmp/errors >&2; exit 98; }
           times=$((times + 1)) ;;
        *) echo "after $delay s: $code" >&2; cat /tmp/errors >&2; exit 97 ;;
    esac
done
exit 96
"""
"""`timeout` signals the whole group, as a terminal does; after the last delay, 0 stands for no interrupt."""
DELAYS, DELAYS_LONG = "0.04 0.25", "0.04 0.1 0.25 0.6 1.5 3"
"""Seconds."""

_delays = DELAYS


@pytest.fixture(autouse=True)
def _delays_of_this_run(long_run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "_delays", DELAYS_LONG if long_run else DELAYS)


_interrupts: list[tuple[tuple[str, ...], int]] = []
"""The commands of a test, with the number of interrupts that ended each of them."""
MAY_BE_LOST = 2
"""Commands that no interrupt ended. An interrupt is lost if it comes while Python starts and runs a destructor, where
Python prints and ignores every exception. The command then completes, as it must.
"""


def interrupted(machine: Machine, *words: str) -> str:
    """Run the command, interrupted later each time, until it completes; its output then."""
    done = machine.run("sh", "-c", SCRIPT, "sh", _delays, *words, timeout_s=200)
    _interrupts.append((words, int(done.stderr)))
    return done.stdout.strip()


def as_a_master(machine: Machine) -> None:
    """All commands on a master's host but the last, which uninstalls."""
    interrupted(machine, f"{BUNDLE}/install", "master")
    for words in (
        ["token", "create"],
        ["token", "list"],
        ["certs"],
        ["certs", "rotate", "server"],
        ["check", "--role", "master"],
        ["backup", "/mnt/b.tar"],
    ):
        interrupted(machine, "sampan", *words)
    assert machine.output("ls", "-A", "/mnt") == "b.tar", "parts of an unfinished backup must be removed"
    machine.run("systemctl", "stop", "sampan-master")
    interrupted(machine, "sampan", "restore", "--force", "/mnt/b.tar")
    machine.run("systemctl", "start", "sampan-master")
    interrupted(machine, "/newer/install", "upgrade")
    assert is_active(machine, "master")


def as_an_agent(machine: Machine) -> None:
    """The commands on a node's host before it joins."""
    interrupted(machine, f"{BUNDLE}/install", "agent")
    interrupted(machine, "/newer/install", "upgrade")


def test_each_interrupted_command_is_completed_when_it_is_run_again(machines: MakeMachines) -> None:
    master, node = machines(2, *IN_MEMORY, "--tmpfs=/mnt")
    _interrupts.clear()
    before = {each.name: snapshot(each) for each in (master, node)}
    together(lambda: as_a_master(master), lambda: as_an_agent(node))
    for each in (master, node):
        assert each.output("sampan", "--version") == f"sampan {NEWER}"

    control = Control(master)
    interrupted(node, *control.join_words())
    assert control.ready(f"/api/v1/nodes/{node.name}")
    interrupted(node, "sampan", "leave")
    node.run(*control.join_words(), timeout_s=120)
    interrupted(node, "sampan", "reset")
    together(
        lambda: interrupted(node, "sampan", "uninstall", "--purge"),
        lambda: interrupted(master, "sampan", "uninstall", "--purge"),
    )
    assert {each.name: snapshot(each) for each in (master, node)} == before
    not_interrupted = [words for words, times in _interrupts if not times]
    assert len(not_interrupted) <= MAY_BE_LOST, not_interrupted
