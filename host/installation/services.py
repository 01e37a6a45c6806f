"""The services of an installed host, as installing and upgrading use them: started, asked, watched for a moment.

Their units are units.py's; how joining and leaving handle the agent's is membership_unit.py's.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Literal

from host.errors import HostError, ServiceFailed
from host.layout import Role, unit_name
from host.system import System
from hull.systemd import UnitState

Condition = Literal["up", "failing", "stopped"]

LASTS_S: Final = 3.0
"""A daemon that cannot live with what it finds says so within this time of its start."""
_LOOKS: Final = 2
"""At one that has failed before: from a try that begins just now to one that lasts."""
_LOOKS_AT_A_START: Final = 15
"""At one that has not: who failed before that may wait for half a minute first (hull/restarts.py)."""


def start(system: System, role: Role, *, again: bool = False) -> None:
    """Start it, and wait until it is ready; `again`: also one that is. Raises ServiceFailed with its own last word.

    One that is on its way, perhaps between two tries, was begun by what its unit said then: it begins anew.
    """
    verb = "start" if _state(system, role).active == "active" and not again else "restart"
    try:
        system.run("systemctl", verb, unit_name(role))
    except HostError as error:
        raise _failed(system, role, "does not start", otherwise=str(error)) from error


def condition(system: System, role: Role, *, ran: bool = False) -> Condition:
    """Whether it is up, or about to be: a command that was interrupted leaves it starting. Raises HostError.

    One that fails again and again is told from that by looking at it until it is known. `ran`: it was up when a command
    began that was cut short; what it fails of since is that command's doing.
    """
    found = _state(system, role)
    if not found.runs:
        return "up" if ran and found.active == "failed" else "stopped"
    if ran or (found.active == "active" and not found.has_failed):
        return "up"
    looks = 0
    while looks < (_LOOKS if found.has_failed else _LOOKS_AT_A_START):
        before = found
        system.sleep(LASTS_S)
        found = _state(system, role)
        if not found.runs:
            return "stopped"
        if found.active == "active" and (found == before or not found.has_failed):
            return "up"
        looks = looks + 1 if found.has_failed == before.has_failed else 0
    # One that has not failed in all that time is slow.
    return "failing" if found.has_failed else "up"


def require_lasting(system: System, roles: Iterable[Role]) -> None:
    """Look again after a moment. Raises ServiceFailed when one has ended since, though it is started again."""
    before = {role: _state(system, role) for role in roles}
    if before:
        system.sleep(LASTS_S)
    for role, then in before.items():
        found = _state(system, role)
        if found.active != "active" or found.restarts != then.restarts:
            raise _failed(system, role, "starts, but does not stay up")


def _state(system: System, role: Role) -> UnitState:
    return UnitState.asked(lambda *words: system.run("systemctl", *words), unit_name(role))


def _failed(system: System, role: Role, what: str, *, otherwise: str = "it says nothing") -> ServiceFailed:
    said = _last_word(system, role) or otherwise
    return ServiceFailed(f"the {role} {what}: {said} (journalctl -u {unit_name(role)})")


def _last_word(system: System, role: Role) -> str:
    """The last line that the daemon itself wrote."""
    with suppress(HostError):
        found = system.run("journalctl", "--no-pager", "-o", "cat", "-n", "20", "-t", "sampan", "-u", unit_name(role))
        lines = [line for line in found.splitlines() if line.startswith("sampan: ")]
        return lines[-1].removeprefix("sampan: ") if lines else ""
    return ""
