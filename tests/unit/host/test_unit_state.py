"""How systemd's state of a unit is judged: whether it runs, and whether it is up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from host.layout import HostLayout
from host.membership.unit import AgentUnit
from host.services import running
from hull.systemd import Unit
from tests.fakes.host import Fake

AGENT = "sampan-agent.service"
UP = "active running 0"
LONG_AGO = "active running 3"
STARTS = "activating start 0"
WAITS = "activating auto-restart 4"


class Looks(Fake):
    """Answers with another state after each wait, such as `active running 0` (active, sub, restarts, job)."""

    def __init__(self, *looks: str) -> None:
        super().__init__(HostLayout(Path("/nowhere")))
        self.looks = list(looks)

    def run(self, *argv: str, environment: Mapping[str, str] | None = None) -> str:
        assert argv[-1] == AGENT
        active, sub, restarts, *job = self.looks[0].split()
        if argv[1] == "list-jobs":
            return f" 6 sampan-master.service restart waiting\n12 {AGENT} {job[0]} running\n" if job else ""
        return f"NRestarts={restarts}\nActiveState={active}\nSubState={sub}\n"

    def sleep(self, seconds: float) -> None:
        self.looks[:] = self.looks[1:] or self.looks


@pytest.mark.parametrize(
    ("looks", "condition"),
    [
        ([UP], "up"),
        ([LONG_AGO], "up"),
        ([STARTS], "up"),
        ([STARTS, UP], "up"),
        (["activating start 1", LONG_AGO.replace("3", "1")], "up"),
        (["reloading reload 0"], "up"),
        (["deactivating stop-sigterm 0 restart"], "up"),
        (["inactive dead 0 start"], "up"),
        (["deactivating stop-watchdog 0", "activating start 1", "active running 1"], "up"),
        ([WAITS], "failing"),
        (["activating auto-restart 0"], "failing"),
        ([STARTS, "activating auto-restart 0"], "failing"),
        ([STARTS] * 8 + ["activating auto-restart 0"], "failing"),
        (["activating start 5"], "failing"),
        (["active running 5", "activating start 6", "active running 6"], "failing"),
        (["active running 5", "active running 6", "active running 7"], "failing"),
        (["inactive dead 0"], "stopped"),
        (["failed failed 0"], "stopped"),
        (["deactivating stop-sigterm 0 stop"], "stopped"),
        ([STARTS, "inactive dead 0"], "stopped"),
    ],
    ids=lambda value: " then ".join(value) if isinstance(value, list) else value,
)
def test_a_service_that_fails_again_and_again_is_not_up(looks: Sequence[str], condition: str) -> None:
    assert running.condition(Looks(*looks), "agent") == condition


@pytest.mark.parametrize(
    ("look", "condition"),
    [(WAITS, "up"), ("failed failed 3", "up"), ("inactive dead 0", "stopped"), ("active running 0 stop", "stopped")],
)
def test_a_service_that_was_up_before_an_interrupted_command_is_restarted_unless_it_was_stopped(
    look: str, condition: str
) -> None:
    assert running.condition(Looks(look), "agent", ran=True) == condition


@pytest.mark.parametrize(
    ("look", "runs"),
    [
        (UP, True),
        (WAITS, True),
        ("deactivating stop-sigterm 0 restart", True),
        ("deactivating stop-sigterm 0 start", True),
        ("deactivating stop-watchdog 0", True),
        ("inactive dead 0 start", True),
        ("deactivating stop-sigterm 0 stop", False),
        ("inactive dead 0", False),
        ("failed failed 0", False),
    ],
)
def test_an_agent_that_is_being_restarted_counts_as_running(look: str, runs: bool) -> None:
    """Otherwise it would stay stopped when the command that pauses it fails."""
    assert AgentUnit(Unit(AGENT, Looks(look).run)).running() is runs
