"""The services of an installed host, as installing and upgrading use them: started, and watched for a moment.

Their unit files are in units.py; host/membership/unit.py has the agent's service as joining and leaving use it.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from host.errors import HostError, ServiceFailed
from host.layout import Role, unit_name
from host.system import System
from hull.systemd import Unit, UnitState

Condition = Literal["up", "failing", "stopped"]

LASTS_S: Final = 3.0
"""A daemon that cannot run in its surroundings ends within this time after its start."""
_LOOKS: Final = 2
"""At a service that has failed before: enough to see a restart that has just begun, and that it lasts."""
_LOOKS_AT_A_START: Final = 15
"""At a service that has not: one that failed earlier may wait for half a minute first (hull/restarts.py)."""


def unit_of(system: System, role: Role) -> Unit:
    return Unit(unit_name(role), system.run)


def start(system: System, role: Role, *, again: bool = False) -> None:
    """Start the service, and wait until it is ready; `again`: restart it if it is up.

    A service that is starting, or waits for its next restart, is restarted: it began with an earlier unit file.
    Raises ServiceFailed with the daemon's last message.
    """
    unit = unit_of(system, role)
    try:
        if unit.state().active == "active" and not again:
            unit.start()
        else:
            unit.restart()
    except HostError as error:
        raise _failed(system, role, "does not start", otherwise=str(error)) from error


def condition(system: System, role: Role, *, ran: bool = False) -> Condition:
    """Whether the service is up or will be, fails again and again, or is stopped. Raises HostError.

    A service that starts is watched until the difference is known. `ran`: it was up when an interrupted command began;
    failures since then were caused by that command.
    """
    state = _state(system, role)
    if not state.runs:
        return "up" if ran and state.active == "failed" else "stopped"
    if ran or (state.active == "active" and not state.has_failed):
        return "up"
    looks = 0
    while looks < (_LOOKS if state.has_failed else _LOOKS_AT_A_START):
        before = state
        system.sleep(LASTS_S)
        state = _state(system, role)
        if not state.runs:
            return "stopped"
        if state.active == "active" and (state == before or not state.has_failed):
            return "up"
        looks = looks + 1 if state.has_failed == before.has_failed else 0
    # A service that has not failed in all that time is slow.
    return "failing" if state.has_failed else "up"


def require_lasting(system: System, roles: Iterable[Role]) -> None:
    """Raise ServiceFailed when one of the services ends within LASTS_S, also when systemd has restarted it."""
    before = {role: _state(system, role) for role in roles}
    if before:
        system.sleep(LASTS_S)
    for role, earlier in before.items():
        state = _state(system, role)
        if state.active != "active" or state.restarts != earlier.restarts:
            raise _failed(system, role, "starts, but does not stay up")


def stop(system: System, name: str) -> None:
    """Stop any unit, and forget that it failed; no error if it is not up, or does not exist. Raises HostError."""
    unit = Unit(name, system.run)
    if unit.state().runs:
        unit.stop()
    unit.forget_failures()


def reload_reader(system: System, reader: str, command: Sequence[str]) -> list[str]:
    """Have a service (`NetworkManager.service`) read its files again, if it is up; remarks for people."""
    if not Unit(reader, system.run).is_active() or system.succeeds(*command):
        return []
    name = reader.removesuffix(".service")
    return [f"{name} could not read its files again: run `{' '.join(command)}` when it can"]


def _state(system: System, role: Role) -> UnitState:
    return unit_of(system, role).state()


def _failed(system: System, role: Role, what: str, *, otherwise: str = "it logged nothing") -> ServiceFailed:
    message = _last_message(system, role) or otherwise
    return ServiceFailed(f"the {role} {what}: {message} (journalctl -u {unit_name(role)})")


def _last_message(system: System, role: Role) -> str:
    """The last line with which the daemon ended; empty when there is none."""
    lines = unit_of(system, role).journal(20, identifier="sampan")
    messages = [line.removeprefix("sampan: ") for line in lines if line.startswith("sampan: ")]
    return messages[-1] if messages else ""
