"""Containers of an engine: what they are created from, and a Protocol of the calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.model import LogOptions
from agent.runtime.records import ContainerId, ContainerRecord


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of the host inside a container."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    """As in mount_namespaces(7): "rslave", "rshared", or empty, which is private."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host inside a container."""

    source: str
    target: str
    permissions: str = "rwm"
    """`r`ead, `w`rite and `m`ake its file (mknod)."""


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """Limits that the kernel enforces; 0: no limit, the engine's default weight."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_bytes: int = 0
    oom_score_adj: int = 0
    pids: int = 0
    """How many processes and threads there may be."""


@dataclass(frozen=True, slots=True)
class Privileges:
    """The user and the privileges of the container's process."""

    user: str = ""
    """`USER[:GROUP]`; empty: as the image says."""
    groups: tuple[int, ...] = ()
    """In addition to those that the image gives to the user."""
    privileged: bool = False
    read_only_root: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False
    """No process gets more privileges than its parent, by a set-user-id program for instance (PR_SET_NO_NEW_PRIVS)."""
    seccomp: str = ""
    """`unconfined`, or a profile as JSON; empty: the engine's own profile."""
    apparmor: str = ""
    """`unconfined`, or the name of a profile; empty: the engine's own profile."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that a container is created from.

    `join` is the sandbox whose network and IPC namespaces it shares, `join_pid` the container or sandbox whose
    processes it sees. Without `join` it gets an IPC namespace that others can join, and a network namespace with only
    loopback. `host_network`, `host_ipc` and `host_pid` give it the host's namespaces instead.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    join: ContainerId | None = None
    join_pid: ContainerId | None = None
    host_network: bool = False
    host_ipc: bool = False
    host_pid: bool = False
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    limits: CgroupLimits = CgroupLimits()
    privileges: Privileges = Privileges()
    cgroup_parent: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class Containers(Protocol):
    """Containers, each in a sandbox. Calls raise RuntimeFault only (errors.py)."""

    async def create(self, spec: ContainerSpec) -> ContainerId:
        """Create a container. Raises CreateConflict if the name is taken, ImageNotFound if the image is missing."""
        ...

    async def start(self, container: ContainerId) -> None:
        """Start it; does nothing if it is running. Raises StartRefused if its process cannot run."""
        ...

    async def signal(self, container: ContainerId, signal: str) -> None:
        """Send a signal by name; does nothing if the container is not running or does not exist."""
        ...

    async def remove(self, container: ContainerId) -> None:
        """Remove it, running or not, with its anonymous volumes; does nothing if it does not exist."""
        ...

    async def inspect(self, container: str) -> ContainerRecord:
        """The record of a container, by id or name. Raises NoSuchContainer."""
        ...

    def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        """The container's log in pieces; does not read ahead."""
        ...
