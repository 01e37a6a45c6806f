"""The first configuration file of a role: the options that were given, and what the host itself knows.

A file that exists belongs to people and is never changed.
"""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from host.errors import WrongUse
from host.layout import HostLayout, Role
from hull.settings import Value, to_toml

API_PORT: Final = 6443
Settings = Mapping[str, Value]

_HEADER: Final = (
    "# Written by `sampan install`, which never changes it. Settings: {module}; `systemctl restart {unit}` applies.\n"
)
_FOR_THE_UNIT: Final = (
    "# For another data_dir, or a port below 1024, first run `sampan install master`: its service must allow that.\n"
)


def text_of(role: Role, layout: HostLayout, given: Settings) -> str:
    """The file's text. Raises WrongUse for settings that master or agent would refuse."""
    values = complete(role, layout, given)
    _check(role, values)
    header = _HEADER.format(module=f"{role}/config.py", unit=f"sampan-{role}")
    if role == "master":
        header += _FOR_THE_UNIT
    text = header + to_toml(values)
    if role == "agent" and "master" not in values:
        text += '# master = "https://ADDRESS:6443"  # by `sampan join`\n'
    return text


def complete(role: Role, layout: HostLayout, given: Settings) -> dict[str, Value]:
    """The given settings, and defaults from this host for the others that a role needs."""
    state = layout.seen(layout.state(role))
    if role == "master":
        address = given.get("advertise_addresses") or [own_address()]
        return {"data_dir": state, "advertise_addresses": address, "log_format": "journal", **given}
    return {"state_dir": state, "node_name": default_node_name(), "log_format": "journal", **given}


def default_node_name() -> str:
    """The host's name without its domain."""
    return socket.gethostname().partition(".")[0].lower()


def own_address() -> str:
    """The source address of this host's default route. Raises WrongUse when there is none.

    Connecting a datagram socket sends nothing; the kernel only chooses the route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): any address outside
            address = str(probe.getsockname()[0])
        except OSError:
            address = ""
    if not address or ipaddress.ip_address(address).is_loopback:
        raise WrongUse("this host has no default route, so none of its addresses is the obvious one: choose one with "
                       "--advertise-address")  # fmt: skip
    return address


def master_url(text: str) -> str:
    """The URL of a master from `10.0.0.1`, `10.0.0.1:6443` or `https://10.0.0.1:6443`, with its name in lower case.

    Raises WrongUse.
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port or API_PORT
    except ValueError:
        host = ""
    if not host or parts.scheme != "https" or parts.path.strip("/"):
        raise WrongUse(f"{text!r} is not the address of a master, which is HOST or HOST:PORT")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _check(role: Role, values: Settings) -> None:
    try:
        if role == "master":
            from master.config import from_values as master_from

            master_from(dict(values))
        else:
            from agent.config import from_values as agent_from

            agent_from({"master": "https://127.0.0.1:6443", **values})
    except ValueError as error:
        raise WrongUse(f"{role}.toml would be invalid: {error}") from error
