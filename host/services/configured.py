"""What the host's configuration files say now of what installing has to do with: where the state is, which ports.

They are people's, and may have been changed since they were written. What a daemon would not take it says itself when
it starts; here that counts as not said.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

from host.errors import HostError
from host.layout import HostLayout, Role

_STATE: Final[dict[Role, str]] = {"master": "data_dir", "agent": "state_dir"}
_PORTS: Final = ("api_port", "session_port")
_OF_EVERYBODY: Final = ("/tmp", "/var/tmp")
"""A service gets directories of its own in their place (PrivateTmp=)."""


def state(role: Role, layout: HostLayout) -> Path:
    """The directory of a role's state. Raises HostError where no service could have it."""
    said = _values(role, layout).get(_STATE[role])
    if not isinstance(said, str):
        return layout.state(role)
    path = Path(said)
    if not (path.is_absolute() and said.isprintable()) or ".." in path.parts:
        raise HostError(f"{layout.config(role)}: {_STATE[role]} must be the absolute path of a directory, not {said!r}")
    if role == "master" and any(path.is_relative_to(each) for each in _OF_EVERYBODY):
        raise HostError(f"{layout.config(role)}: {_STATE[role]} must be no temporary directory, as {said} is")
    return layout.root / said.lstrip("/")


def has_low_port(layout: HostLayout) -> bool:
    """Whether the master is to listen on a port that only root may, and who has the capability."""
    values = _values("master", layout)
    return any(isinstance(port := values.get(name), int) and 0 < port < 1024 for name in _PORTS)


def _values(role: Role, layout: HostLayout) -> dict[str, Any]:
    try:
        return tomllib.loads(layout.config(role).read_text())
    except (OSError, ValueError):
        return {}
