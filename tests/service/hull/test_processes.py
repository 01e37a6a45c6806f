"""Processes identified by pid and start time, on the real kernel."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hull import processes
from hull.errors import StartFailed
from hull.processes import ProcessRecord
from lab.environment import clean_environment
from netrig.plugin import eventually


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessRecord]:
    record = processes.start(["sleep", "60"], log=tmp_path / "log", env=clean_environment())
    yield record
    processes.kill(record)


def test_a_process_lives_until_it_is_killed(sleeper: ProcessRecord) -> None:
    assert processes.alive(sleeper)
    processes.kill(sleeper)
    assert not processes.alive(sleeper)
    assert not Path(f"/proc/{sleeper.pid}").exists()  # reaped, not a zombie


def test_a_reused_pid_is_another_process(sleeper: ProcessRecord) -> None:
    earlier = replace(sleeper, started=sleeper.started - 1)
    assert not processes.alive(earlier)
    assert not processes.send(earlier, signal.SIGKILL)
    processes.kill(earlier)
    assert processes.alive(sleeper)


def test_a_frozen_process_is_reported_as_paused(sleeper: ProcessRecord) -> None:
    assert not processes.paused(sleeper)
    processes.pause(sleeper)
    os.waitpid(sleeper.pid, os.WUNTRACED)  # returns when the signal has arrived
    assert processes.paused(sleeper)
    assert not processes.paused(replace(sleeper, started=sleeper.started - 1))
    processes.resume(sleeper)
    os.waitpid(sleeper.pid, os.WCONTINUED)
    assert not processes.paused(sleeper)
    processes.kill(sleeper)
    assert not processes.paused(sleeper)


def test_stop_ends_a_frozen_process(sleeper: ProcessRecord) -> None:
    assert processes.pause(sleeper)
    assert processes.stop(sleeper, timeout_s=5.0)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = processes.start(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"], log=log, env=clean_environment()
    )
    eventually(lambda: "ready" in processes.tail(log))
    children = Path(f"/proc/{stubborn.pid}/task/{stubborn.pid}/children")
    assert not processes.stop(stubborn, timeout_s=0.05) or not children.exists()
    assert not processes.alive(stubborn)


def test_a_process_runs_in_a_session_of_its_own_with_the_given_environment(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    record = processes.start(["sh", "-c", "env; exec sleep 60"], log=log, env=clean_environment(MARK="yes"))
    try:
        eventually(lambda: log.exists() and "MARK=yes" in log.read_text())
        assert "DOCKER_HOST" not in log.read_text()
        assert os.getsid(record.pid) == record.pid
    finally:
        processes.kill(record)


def test_the_last_line_of_a_process_that_ends_at_once_is_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    record = processes.start(["sh", "-c", "echo why >&2"], log=log, env=clean_environment())
    assert processes.wait(record, 5.0)
    assert not processes.alive(record)
    assert "why" in processes.tail(log)


def test_a_missing_program_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot start /nonexistent"):
        processes.start(["/nonexistent"], log=tmp_path / "log", env=clean_environment())


def test_the_tail_of_a_log_is_one_bounded_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n" + "x" * 10_000 + "\n\n")
    text = processes.tail(log)
    assert text.startswith(": xxx")
    assert text.endswith(f"(log: {log})")
    assert len(text) < 1000
    assert "\n" not in text
    assert processes.tail(tmp_path / "none") == ""
