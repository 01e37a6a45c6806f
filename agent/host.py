"""Facts of the machine: what the agent says of it at Hello, and the address that others reach it by.

Owns the reading of /proc, /etc and psutil's totals, and `join` for the command line. Measures no usage
(vitals.py).
"""

from __future__ import annotations

import logging
import platform
import re
import socket
import time
import uuid
from ipaddress import IPv4Address
from pathlib import Path

import psutil

from agent.address import source_of_route
from agent.config import AgentConfig
from agent.config import load as load_config
from agent.identity import files
from agent.identity import join as joining
from agent.identity.errors import JoinRefused
from proto import contract

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
_MACHINE_ID = re.compile("[0-9a-fA-F]{32}")

log = logging.getLogger(__name__)


def join(config_path: Path, token: str, ca_hash: str) -> int:
    """Make this machine a node and return 0. Raises AgentError or ConfigError with what is wrong."""
    config = load_config(config_path)
    with files.locked(config.state_dir):
        identity = files.load(config.state_dir)
        if identity is not None and time.time() < identity.not_after:
            raise JoinRefused(
                f"this machine is node {identity.node_name} of cluster {identity.cluster_id} already "
                f"({config.state_dir}); nothing was changed"
            )
        if identity is not None:
            # Expired. By the same key the master knows the node again, which keeps its name and its pods.
            files.pending_key(config.state_dir, lambda: identity.key)
        joining.join(config, joining.Ticket(token, ca_hash), wait=False)
    return 0


def node_address(config: AgentConfig) -> str:
    """The configured address, or the source address of the route to the master, for who may wait for its name.

    Raises OSError without a route.
    """
    return config.node_address or source_of_route(config.master_host)


def addresses() -> list[str]:
    """All IPv4 addresses of this machine but loopback's: by which of them it is known depends on who was asked before.

    Raises OSError.
    """
    links = psutil.net_if_addrs().values()
    found = {IPv4Address(each.address) for link in links for each in link if each.family is socket.AF_INET}
    return [str(address) for address in sorted(found) if not address.is_loopback]


def machine_id(state_dir: Path) -> str:
    """The machine's id (machine-id(5)); one of our own where there is none, or none that is one. Raises OSError."""
    own = state_dir / "machine-id"
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"), own):
        text = _read(path)
        if _MACHINE_ID.fullmatch(text):
            return text
    made = uuid.uuid4().hex
    log.warning("%s: this machine has no id: it is %s from now on", own, made)
    files.write_private(own, made.encode())
    return made


def boot_id() -> str:
    """Random at every boot."""
    return _read(Path("/proc/sys/kernel/random/boot_id"))


def kernel_version() -> str:
    return platform.release()


def os_image() -> str:
    """The distribution's pretty name."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def architecture() -> str:
    """As Go names it."""
    machine = platform.machine()
    return _GO_ARCHITECTURES.get(machine, machine)


def agent_version() -> str:
    """This release, in Kubernetes' form of a version."""
    return f"v{contract.VERSION}"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
