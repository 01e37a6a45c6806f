"""systemd's units: their state, starting and stopping them, and their last lines in the journal.

By systemctl(1) and journalctl(1). `run` is how these are run, and the seam for tests: hull.programs.run, or another
`Run` with a time-out or an error class of its own.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hull import programs
from hull.errors import HullError
from hull.programs import Run

RUNTIME: Final = Path("/run/systemd/system")
"""Exists where systemd runs the host (sd_booted(3))."""
_PROPERTIES: Final = "--property=ActiveState,SubState,NRestarts,Result"


def runs_this_host() -> bool:
    """Whether units can be managed on this host."""
    return RUNTIME.is_dir() and shutil.which("systemctl") is not None


def is_shutting_down(run: Run) -> bool:
    """Whether this host is about to be powered off or rebooted. Raises what `run` raises."""
    return run("systemctl", "show", "--property=SystemState").strip() == "SystemState=stopping"


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit's state at one moment. `active`, `sub` and `result` are systemd's ActiveState, SubState and Result."""

    active: str
    sub: str
    restarts: int
    """How often systemd has restarted it by itself since a person, or a command, started it."""
    job: str = ""
    """What systemd is about to do with it: start, restart, stop; empty when no job is queued."""
    result: str = ""

    @classmethod
    def read(cls, run: Run, name: str) -> Self:
        """The present state; of a unit that does not exist it is `inactive`. Raises what `run` raises."""
        # The job first: when it ends between the two questions, the state shows the outcome.
        jobs = [line.split() for line in run("systemctl", "list-jobs", "--no-legend", "--plain", name).splitlines()]
        job = next((words[2] for words in jobs if len(words) > 2 and words[1] == name), "")
        output = run("systemctl", "show", _PROPERTIES, name)
        values = dict(line.partition("=")[::2] for line in output.splitlines())
        restarts = values.get("NRestarts", "")
        return cls(
            active=values.get("ActiveState", ""),
            sub=values.get("SubState", ""),
            restarts=int(restarts) if restarts.isdecimal() else 0,
            job=job,
            result=values.get("Result", ""),
        )

    @property
    def runs(self) -> bool:
        """It is up, starts, waits for its next restart, or will run when the queued job has ended.

        A restart begins with a unit that goes down, with a job; so does a failure before its restart, without one.
        """
        if self.job:
            return self.job != "stop"
        return self.active in ("active", "reloading", "activating", "deactivating")

    @property
    def has_failed(self) -> bool:
        """Since it was started; it may be up again. systemd counts a restart when it begins."""
        return self.restarts > 0 or self.sub.startswith("auto-restart")

    def __str__(self) -> str:
        """For people, such as `failed (exit-code)` or `active (running)`."""
        detail = self.sub if self.result in ("", "success") else self.result
        return f"{self.active or 'unknown'} ({detail})"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit by its name. Methods raise what `run` raises, unless they say otherwise."""

    name: str
    run: Run = programs.run

    def state(self) -> UnitState:
        return UnitState.read(self.run, self.name)

    def is_active(self) -> bool:
        """Whether it has started and, of Type=notify, reported that it is ready."""
        return self.name in active(self.run, [self.name])

    def enable(self) -> None:
        """Have it started at boot."""
        self.run("systemctl", "--quiet", "enable", self.name)

    def disable(self, *, now: bool) -> None:
        """Do not start it at boot any more; `now`: stop it too. No error if it is neither enabled nor up."""
        self.run("systemctl", "--quiet", "disable", *(["--now"] if now else []), self.name)

    def start(self, *, wait: bool = True) -> None:
        """`wait`: until it is ready."""
        self.run("systemctl", *_blocking(wait), "start", self.name)

    def restart(self, *, wait: bool = True) -> None:
        self.run("systemctl", *_blocking(wait), "restart", self.name)

    def stop(self) -> None:
        """Stop it and wait; whether it starts at boot does not change."""
        self.run("systemctl", "--quiet", "stop", self.name)

    def forget_failures(self) -> None:
        """Clear the state `failed` and the count of restarts; no error if there is none of either."""
        with suppress(HullError):
            self.run("systemctl", "reset-failed", self.name)

    def journal(self, lines: int, *, identifier: str = "") -> list[str]:
        """The messages of its last entries; empty when the journal cannot be read.

        `identifier`: only of the program that calls itself so (SYSLOG_IDENTIFIER), not systemd's about it.
        """
        program = ["-t", identifier] if identifier else []
        command = ["journalctl", "--quiet", "--no-pager", "-o", "cat", "-n", str(lines), *program, "-u", self.name]
        try:
            return self.run(*command).splitlines()
        except HullError:
            return []


def active(run: Run, names: Sequence[str]) -> frozenset[str]:
    """Those of the units that are active."""
    output = run("systemctl", "show", "--property=ActiveState", *names)
    # One paragraph for each unit, in the order of the names.
    states = [line.partition("=")[2] for line in output.splitlines() if line]
    return frozenset(name for name, state in zip(names, states, strict=False) if state in ("active", "reloading"))


def reload_units(run: Run) -> None:
    """Have systemd read the unit files again."""
    run("systemctl", "daemon-reload")


def _blocking(wait: bool) -> list[str]:
    return [] if wait else ["--no-block"]
