"""Facts about the machine for Hello: ids, versions and addresses. And `join` for the command line.

Reads /proc, /etc and psutil. Measures no usage (vitals.py).
"""

from __future__ import annotations

import logging
import os
import platform
import re
import socket
import struct
import time
import uuid
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import psutil

from agent.address import source_of_route
from agent.config import AgentConfig
from agent.config import load as load_config
from agent.identity import files
from agent.identity import join as joining
from agent.identity.errors import JoinRefused
from hull import atomicfile
from proto import contract

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
_MACHINE_ID = re.compile("[0-9a-fA-F]{32}")

_CAPABILITIES: Final = re.compile(r"^CapEff:\s*([0-9a-f]+)$", re.MULTILINE)
_CAP_SYS_RESOURCE: Final = 24
_ALL_UIDS: Final = ["0", "0", "4294967295"]
"""The map of user ids of the first user namespace."""
_UCRED: Final = struct.Struct("iII")
"""pid, uid and gid: unix(7), SO_PEERCRED."""
_CONNECT_S: Final = 1.0
_CONTROLLERS: Final = Path("/sys/fs/cgroup/cgroup.controllers")

log = logging.getLogger(__name__)


def join(config_path: Path, token: str, ca_hash: str) -> int:
    """Make this machine a node; returns 0. Raises AgentError or SettingsError."""
    config = load_config(config_path)
    with files.locked(config.state_dir):
        identity = files.load(config.state_dir)
        if identity is not None and time.time() < identity.not_after:
            raise JoinRefused(
                f"this machine is already node {identity.node_name} of cluster {identity.cluster_id} "
                f"({config.state_dir}); nothing was changed"
            )
        if identity is not None:
            # Expired. The master recognizes the node by its key, so that it keeps its name and its pods.
            files.pending_key(config.state_dir, lambda: identity.key)
        joining.join(config, joining.Ticket(token, ca_hash), wait=False)
    return 0


def node_address(config: AgentConfig) -> str:
    """The configured address, or the source address of the route to the master. May block on name resolution.

    Raises OSError without a route.
    """
    return config.node_address or source_of_route(config.master_host)


def addresses() -> list[str]:
    """IPv4 addresses of this machine except loopback, as many as the master accepts.

    Which of them is the node address depends on the route to the master.

    Raises OSError.
    """
    links = psutil.net_if_addrs().values()
    ipv4 = {IPv4Address(entry.address) for link in links for entry in link if entry.family is socket.AF_INET}
    return [str(address) for address in sorted(ipv4) if not address.is_loopback][: contract.MAX_ADDRESSES]


def machine_id(state_dir: Path) -> str:
    """The id of machine-id(5); an id of our own where there is no valid one. Raises OSError."""
    own = state_dir / "machine-id"
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"), own):
        text = _read(path)
        if _MACHINE_ID.fullmatch(text):
            return text
    made = uuid.uuid4().hex
    log.warning("%s: this machine has no machine-id; using %s from now on", own, made)
    atomicfile.write(own, made.encode())
    return made


def boot_id() -> str:
    """The kernel's random id of this boot."""
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
    """Go's name of it, e.g. "amd64"."""
    machine = platform.machine()
    return _GO_ARCHITECTURES.get(machine, machine)


def has_apparmor() -> bool:
    """Whether AppArmor is on and the engine can use it.

    Without AppArmor's file system or parser, Docker runs containers without a profile and reports no error.
    """
    paths = (Path("/sys/kernel/security/apparmor"), Path("/sbin/apparmor_parser"))
    enabled = _read(Path("/sys/module/apparmor/parameters/enabled"))
    return enabled == "Y" and all(path.exists() for path in paths)


def has_selinux() -> bool:
    """Whether SELinux is on: its file system is mounted then (libselinux, is_selinux_enabled(3))."""
    return Path("/sys/fs/selinux/enforce").exists()


def has_seccomp() -> bool:
    """Whether the kernel has seccomp filters."""
    return Path("/proc/sys/kernel/seccomp/actions_avail").exists()


def has_pids_controller() -> bool:
    """Whether the kernel can bound how many processes a cgroup has."""
    rows = (line.split() for line in _read(Path("/proc/cgroups")).splitlines())
    return any(row[0] == "pids" and row[-1] == "1" for row in rows if row) or "pids" in _read(_CONTROLLERS).split()


def memory_bytes() -> int:
    """The memory of this machine, which the OOM scores of its kernel are about."""
    return int(psutil.virtual_memory().total)


def may_lower_oom_scores(engine_socket: Path) -> bool:
    """Whether the engine may give its containers negative OOM scores: proc(5), oom_score_adj.

    It needs CAP_SYS_RESOURCE in the first user namespace. While the engine is away, the agent stands for it.
    """
    try:
        process = _pid_behind(engine_socket)
    except OSError:
        process = os.getpid()
    status, uids = _read(Path(f"/proc/{process}/status")), _read(Path(f"/proc/{process}/uid_map"))
    found = _CAPABILITIES.search(status)
    if found is None or uids.split() != _ALL_UIDS:
        return False
    return bool(int(found[1], 16) >> _CAP_SYS_RESOURCE & 1)


def _pid_behind(unix_socket: Path) -> int:
    """The process that listens on a Unix socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CONNECT_S)
        client.connect(str(unix_socket))
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[0])


def agent_version() -> str:
    """This release as Kubernetes writes versions, e.g. "v1.2.3"."""
    return f"v{contract.VERSION}"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
