"""The agent's systemd unit, as joining and leaving use it: started, stopped, and why it is not up.

Where nothing is installed (a lab, a checkout) there is no unit: another program starts and stops the agent. Unit files
are written by host/services/units.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.layout import HostLayout, unit_name
from hull import systemd
from hull.systemd import Unit


@dataclass(frozen=True, slots=True)
class AgentUnit:
    """`unit` is None where nothing is installed: then it is never up, and stopping it does nothing.

    Methods raise HullError when systemctl fails.
    """

    unit: Unit | None

    @property
    def installed(self) -> bool:
        return self.unit is not None

    def start(self) -> None:
        """Enable it for every boot, and start it unless it is up. Does not wait."""
        if self.unit is None:
            return
        self.unit.enable()
        if not self.unit.is_active():
            # The unit may be waiting for its next restart, or have given up because the host was not a member yet.
            self.unit.forget_failures()
            self.unit.restart(wait=False)

    def stop(self) -> None:
        """Stop it, and do not start it at boot any more; no error if it is neither up nor enabled."""
        if self.unit is not None:
            self.unit.disable(now=True)
            self.unit.forget_failures()

    def pause(self) -> None:
        """Stop it; whether it starts at boot does not change."""
        if self.unit is not None:
            self.unit.stop()

    def resume(self) -> None:
        """Start it after `pause`. Does not wait."""
        if self.unit is not None:
            self.unit.start(wait=False)

    def running(self) -> bool:
        """Whether it is up, starts, waits for its next restart, or goes down to be restarted."""
        return self.unit is not None and self.unit.state().runs

    def active(self) -> bool:
        """Whether it has started and reported that it is ready."""
        return self.unit is not None and self.unit.is_active()

    def state(self) -> str:
        """systemd's view, such as `failed (exit-code)`; empty without a unit."""
        return str(self.unit.state()) if self.unit is not None else ""

    def last_line(self) -> str:
        """Its last line in the journal; empty when there is none."""
        lines = self.unit.journal(1) if self.unit is not None else []
        return lines[-1].strip() if lines else ""


def agent_unit(layout: HostLayout) -> AgentUnit:
    """The host's unit, where systemd runs and the unit is installed."""
    installed = systemd.runs_this_host() and layout.unit("agent").exists()
    return AgentUnit(Unit(unit_name("agent")) if installed else None)
