"""What systemctl and journalctl print, as the state of a unit; and the commands that change one."""

from __future__ import annotations

import pytest

from hull import systemd
from hull.errors import ProgramFailed
from hull.systemd import Unit

NAME = "sampan-agent.service"


class Output:
    """Prints this for each program run, and fails after that."""

    def __init__(self, *outputs: str) -> None:
        self.outputs = list(outputs)
        self.commands: list[str] = []

    def __call__(self, *argv: str) -> str:
        self.commands.append(" ".join(argv))
        if not self.outputs:
            raise ProgramFailed("systemctl failed")
        return self.outputs.pop(0)


def test_a_state_is_read_with_the_queued_job_of_this_unit_only() -> None:
    jobs = f" 6 sampan-master.service restart waiting\n12 {NAME} stop running\n"
    state = Unit(NAME, Output(jobs, "NRestarts=3\nActiveState=active\nSubState=running\nResult=success\n")).state()
    assert (state.active, state.sub, state.restarts, state.job) == ("active", "running", 3, "stop")
    assert str(state) == "active (running)"


def test_a_failed_state_names_its_cause() -> None:
    state = Unit(NAME, Output("", "ActiveState=failed\nSubState=failed\nNRestarts=\nResult=exit-code\n")).state()
    assert str(state) == "failed (exit-code)" and not state.runs and not state.has_failed


def test_active_units_are_found_by_the_order_of_their_paragraphs() -> None:
    output = Output("ActiveState=active\n\nActiveState=inactive\n\nActiveState=reloading\n")
    assert systemd.active(output, ["a", "b", "c"]) == {"a", "c"}
    assert output.commands == ["systemctl show --property=ActiveState a b c"]


@pytest.mark.parametrize(("state", "expected"), [("stopping", True), ("running", False), ("degraded", False)])
def test_whether_the_host_shuts_down(state: str, expected: bool) -> None:
    output = Output(f"SystemState={state}\n")
    assert systemd.is_shutting_down(output) is expected
    assert output.commands == ["systemctl show --property=SystemState"]


def test_a_unit_that_never_failed_has_no_failures_to_forget_but_other_commands_raise() -> None:
    unit = Unit(NAME, Output())
    unit.forget_failures()
    with pytest.raises(ProgramFailed):
        unit.disable(now=True)


def test_starting_waits_unless_it_is_asked_not_to() -> None:
    output = Output("", "")
    Unit(NAME, output).start()
    Unit(NAME, output).restart(wait=False)
    assert output.commands == [f"systemctl start {NAME}", f"systemctl --no-block restart {NAME}"]


def test_the_journal_is_empty_where_it_cannot_be_read() -> None:
    assert Unit(NAME, Output("one\ntwo\n")).journal(2) == ["one", "two"]
    assert Unit(NAME, Output()).journal(2) == []
