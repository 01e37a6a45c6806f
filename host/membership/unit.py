"""The agent's systemd unit, as joining and leaving use it: started, stopped, and asked why.

Where nothing is installed (a lab, a checkout) there is none, and `NoUnit` says so. Unit files are units.py's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from host.layout import HostLayout, unit_name
from hull.systemd import UnitState

_RUNS_SYSTEMD: Final = Path("/run/systemd/system")
_TIMEOUT_S: Final = 120.0
"""systemd itself gives a service 90 s to stop."""


class UnitFailed(Exception):
    """systemctl refused; the message is its own."""


class AgentUnit(Protocol):
    """What is asked of it."""

    @property
    def installed(self) -> bool: ...

    def start(self) -> None:
        """Enable it for every boot, and start it unless it runs. Does not wait. Raises UnitFailed."""
        ...

    def stop(self) -> None:
        """Stop it and take it out of the boot; one that is neither is fine. Raises UnitFailed."""
        ...

    def pause(self) -> None:
        """Stop it; it stays in the boot as it is. Raises UnitFailed."""
        ...

    def resume(self) -> None:
        """Start it, and nothing else. Does not wait. Raises UnitFailed."""
        ...

    def running(self) -> bool:
        """Whether it runs, starts, waits for its next try, or goes down to be started again."""
        ...

    def active(self) -> bool:
        """Whether it has started and said that it is ready."""
        ...

    def state(self) -> str:
        """What systemd says, as `failed (exit-code)`."""
        ...

    def last_line(self) -> str:
        """The agent's last word in the journal; empty when there is none."""
        ...


class NoUnit:
    """The agent is somebody else's to start."""

    installed = False

    def start(self) -> None:
        raise UnitFailed("no unit is installed")

    def stop(self) -> None:
        return

    def pause(self) -> None:
        return

    def resume(self) -> None:
        return

    def running(self) -> bool:
        return False

    def active(self) -> bool:
        return False

    def state(self) -> str:
        return ""

    def last_line(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """The unit of an installed host."""

    name: str = unit_name("agent")
    installed: bool = True

    def start(self) -> None:
        _must("enable", "--quiet", self.name)
        if not self.active():
            # It may wait for its next try, or have given up, as the host was no member yet.
            _systemctl("reset-failed", self.name)
            _must("restart", "--no-block", self.name)

    def stop(self) -> None:
        _must("disable", "--now", "--quiet", self.name)
        _systemctl("reset-failed", self.name)

    def pause(self) -> None:
        _must("stop", self.name)

    def resume(self) -> None:
        _must("start", "--no-block", self.name)

    def running(self) -> bool:
        return UnitState.asked(lambda *words: _systemctl(*words).stdout, self.name).runs

    def active(self) -> bool:
        return _systemctl("is-active", "--quiet", self.name).returncode == 0

    def state(self) -> str:
        done = _systemctl("show", "--property=ActiveState,SubState,Result", self.name)
        said = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        detail = said.get("SubState", "") if said.get("Result") in (None, "", "success") else said["Result"]
        return f"{said.get('ActiveState', 'unknown')} ({detail})"

    def last_line(self) -> str:
        command = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=1", f"--unit={self.name}"]
        if not shutil.which(command[0]):
            return ""
        return _run(command).stdout.strip()


def agent_unit(layout: HostLayout) -> AgentUnit:
    """The host's unit, where systemd runs and the unit is installed."""
    if _RUNS_SYSTEMD.is_dir() and shutil.which("systemctl") and layout.unit("agent").exists():
        return SystemdUnit()
    return NoUnit()


def _must(*arguments: str) -> None:
    done = _systemctl(*arguments)
    if done.returncode != 0:
        raise UnitFailed(f"systemctl {' '.join(arguments)}: {' '.join(done.stderr.split()) or done.returncode}")


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(["systemctl", *arguments])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnitFailed(f"{' '.join(command)}: {error}") from error
