"""What the configuration files of the daemons say now, as far as it matters for their units: state directory and ports.

The files belong to people, and may have changed since they were written. A daemon reports an invalid setting itself
when it starts; here an invalid setting counts as absent.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

from host.errors import HostError
from host.layout import HostLayout, Role

_STATE: Final[dict[Role, str]] = {"master": "data_dir", "agent": "state_dir"}
_PORTS: Final = ("api_port", "session_port")
_TEMPORARY: Final = ("/tmp", "/var/tmp")
"""A service has directories of its own in their place (PrivateTmp=)."""


def state(role: Role, layout: HostLayout) -> Path:
    """The state directory of a role. Raises HostError for one that a service cannot use."""
    value = _values(role, layout).get(_STATE[role])
    if not isinstance(value, str):
        return layout.state(role)
    if problem := directory_problem(value, private_tmp=role == "master"):
        raise HostError(f"{layout.config(role)}: {_STATE[role]} {problem}")
    return layout.root / value.lstrip("/")


def directory_problem(text: str, *, private_tmp: bool = True) -> str:
    """Why a service cannot use the directory: `must be …`; empty when it can. `private_tmp`: as its unit says."""
    path = Path(text)
    if not (path.is_absolute() and text.isprintable()) or ".." in path.parts:
        return f"must be the absolute path of a directory, not {text!r}"
    if private_tmp and any(path.is_relative_to(directory) for directory in _TEMPORARY):
        return f"must not be a temporary directory, as {text} is"
    return ""


def has_low_port(layout: HostLayout) -> bool:
    """Whether the master listens on a port below 1024, which needs CAP_NET_BIND_SERVICE."""
    values = _values("master", layout)
    return any(isinstance(port := values.get(name), int) and 0 < port < 1024 for name in _PORTS)


def _values(role: Role, layout: HostLayout) -> dict[str, Any]:
    try:
        return tomllib.loads(layout.config(role).read_text())
    except (OSError, ValueError):
        return {}
