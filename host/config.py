"""The first configuration file of a role: what was asked for, and what this host says itself.

A file that is there is somebody's, and stays as it is.
"""

import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from host.errors import WrongUse
from host.layout import HostLayout, Role

API_PORT: Final = 6443
Value = str | int | Sequence[str] | Mapping[str, str]
Settings = Mapping[str, Value]

_HEADER = (
    "# Written by `sampan install`, which never changes it. Settings: {module}; `systemctl restart {unit}` applies.\n"
)
_FOR_THE_UNIT = (
    "# For another data_dir, or a port below 1024, run `sampan install master` before: the service is to allow it.\n"
)


def text_of(role: Role, layout: HostLayout, given: Settings) -> str:
    """The file's text. Raises WrongUse when master or agent would not take it."""
    values = complete(role, layout, given)
    _check(role, values)
    header = _HEADER.format(module=f"{role}/config.py", unit=f"sampan-{role}")
    if role == "master":
        header += _FOR_THE_UNIT
    lines = [f"{name} = {_value(value)}\n" for name, value in values.items()]
    if role == "agent" and "master" not in values:
        lines.append('# master = "https://ADDRESS:6443"  # by `sampan join`\n')
    return header + "".join(lines)


def complete(role: Role, layout: HostLayout, given: Settings) -> dict[str, Value]:
    """What was given, with what this host says where nothing was."""
    state = layout.seen(layout.state(role))
    if role == "master":
        address = given.get("advertise_addresses") or [own_address()]
        return {"data_dir": state, "advertise_addresses": address, "log_format": "journal", **given}
    return {"state_dir": state, "node_name": default_node_name(), "log_format": "journal", **given}


def default_node_name() -> str:
    """The node's name where nobody says one: the host's, without a domain."""
    return socket.gethostname().partition(".")[0].lower()


def own_address() -> str:
    """The address with which this host speaks to others. Raises WrongUse when it has none.

    Connecting a datagram socket sends nothing; the kernel only chooses the way.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: anybody outside
            found = str(probe.getsockname()[0])
        except OSError:
            found = ""
    if not found or ipaddress.ip_address(found).is_loopback:
        raise WrongUse("this host has no default route, so none of its addresses is the obvious one: say which with "
                       "--advertise-address")  # fmt: skip
    return found


def master_url(text: str) -> str:
    """`10.0.0.1`, `10.0.0.1:6443` and `https://10.0.0.1:6443` are the same master; a name's case says nothing.

    Raises WrongUse.
    """
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port or API_PORT
    except ValueError:
        host = ""
    if not host or parts.scheme != "https" or parts.path.strip("/"):
        raise WrongUse(f"{text!r} is no address of a master: HOST or HOST:PORT is")
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
        raise WrongUse(f"{role}.toml would not be taken: {error}") from error


def _value(value: Value) -> str:
    """A JSON string or number is a TOML one; of tables only flat ones occur."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {json.dumps(text)}" for key, text in value.items()) + "}"
    return json.dumps(value if isinstance(value, str | int) else list(value))
