"""The services of an installed host, as installing and upgrading use them: started, asked, watched for a moment.

Their units are units.py's; how joining and leaving handle the agent's is membership_unit.py's.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from cli.host.errors import HostError
from cli.host.layout import Role, unit_name
from cli.host.system import System

LASTS_S: Final = 3.0
"""A daemon that cannot live with what it finds says so within this time of its start."""


def start(system: System, role: Role, *, again: bool = False) -> None:
    """Start it, and wait until it is ready; `again`: also one that is. Raises HostError with its own last word.

    One that is on its way, perhaps between two tries, was begun by what its unit said then: it begins anew.
    """
    verb = "start" if _state(system, role)[0] == "active" and not again else "restart"
    try:
        system.run("systemctl", verb, unit_name(role))
    except HostError as error:
        raise _failed(system, role, "does not start", otherwise=str(error)) from error


def runs(system: System, role: Role) -> bool:
    """Whether it does, or is about to: a command that was interrupted leaves it starting."""
    return _state(system, role)[0] in ("active", "activating", "reloading")


def require_lasting(system: System, roles: Iterable[Role]) -> None:
    """Look again after a moment. Raises HostError when one has ended since, though systemd has started it again."""
    before = {role: _state(system, role) for role in roles}
    if before:
        system.sleep(LASTS_S)
    for role, (_, restarts) in before.items():
        if _state(system, role) != ("active", restarts):
            raise _failed(system, role, "starts, but does not stay up")


def _state(system: System, role: Role) -> tuple[str, str]:
    """Its ActiveState, and how often systemd has started it again."""
    said = system.run("systemctl", "show", "--property=ActiveState,NRestarts", unit_name(role))
    values = dict(line.partition("=")[::2] for line in said.splitlines())
    return values.get("ActiveState", ""), values.get("NRestarts", "")


def _failed(system: System, role: Role, what: str, *, otherwise: str = "it says nothing") -> HostError:
    return HostError(f"the {role} {what}: {_last_word(system, role) or otherwise} (journalctl -u {unit_name(role)})")


def _last_word(system: System, role: Role) -> str:
    """The last line that the daemon itself wrote."""
    with suppress(HostError):
        found = system.run("journalctl", "--no-pager", "-o", "cat", "-n", "20", "-t", "sampan", "-u", unit_name(role))
        lines = [line for line in found.splitlines() if line.startswith("sampan: ")]
        return lines[-1].removeprefix("sampan: ") if lines else ""
    return ""
