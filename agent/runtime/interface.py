"""The agent's view of a container engine: a small asynchronous Protocol and its values.

Owns the calls that pods use, in the engine's terms (containers, images, mounts). A sandbox is a container like any
other here. Implementations: docker.py (an engine), fake.py (in memory, for tests).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Protocol

from agent.model import LogOptions

ContainerId = NewType("ContainerId", str)


class ContainerPhase(StrEnum):
    """The phase of a container; without a restart by hand it never goes back."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of the host inside a container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """Limits that the kernel enforces; 0: no limit, the engine's default weight."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_bytes: int = 0
    oom_score_adj: int = 0


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

    `join` is the container whose network and IPC namespaces it shares, `join_pid` the one whose processes it sees.
    Without `join` it gets an IPC namespace that others can join, and a network namespace with only loopback.
    `host_network`, `host_ipc` and `host_pid` give it the host's namespaces instead.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    join: ContainerId | None = None
    join_pid: ContainerId | None = None
    host_network: bool = False
    host_ipc: bool = False
    host_pid: bool = False
    hostname: str = ""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Names and values of parameters of its own network and IPC namespaces."""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    limits: CgroupLimits = CgroupLimits()
    privileges: Privileges = Privileges()
    cgroup_parent: str = ""
    stdin: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container as the engine reports it. Times are seconds since the epoch; 0.0: not yet."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    phase: ContainerPhase
    image: str = ""
    image_id: str = ""
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    """Why it could not be started."""
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    stop_signal: str = ""
    """From the image; empty: SIGTERM."""
    partial: bool = False
    """The engine listed the container, but did not answer about it in time: pid, exit code and times are missing. It
    counts as running, since an end would need an exit code."""

    @property
    def running(self) -> bool:
        return self.phase is ContainerPhase.RUNNING


@dataclass(frozen=True, slots=True)
class Listed:
    """A container in a list of the engine's."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    phase: ContainerPhase
    """EXITED is not distinguished from a failed start, which the engine lists as CREATED."""


class EventKind(StrEnum):
    """Kinds of the engine's events."""

    CREATED = "create"
    STARTED = "start"
    DIED = "die"
    DESTROYED = "destroy"
    IMAGES_CHANGED = "images-changed"


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """An event of the engine; `id` is a container's, or an image's for IMAGES_CHANGED."""

    kind: EventKind
    id: str
    at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    oom_killed: bool = False
    """As known at that time; an inspection may show True later."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of a registry. `source`: where they come from, for messages; repr() leaves the password out."""

    username: str
    password: str = field(repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """The engine's name and version, e.g. "docker", "20.10.24"."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}://{self.version}"


class Runtime(Protocol):
    """A container engine. Calls raise RuntimeFault only (errors.py)."""

    async def version(self) -> RuntimeVersion:
        """The engine's name and version."""
        ...

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

    async def list(self, labels: Mapping[str, str]) -> Sequence[ContainerRecord]:
        """All containers with these labels, whatever their phase. Containers that are stuck do not keep it waiting."""
        ...

    async def overview(self, labels: Mapping[str, str]) -> Sequence[Listed]:
        """The same by one cheap call, which asks about no single container."""
        ...

    async def image_id(self, image: str) -> str | None:
        """The image's id if the engine has it. May be answered from a cache that image events empty."""
        ...

    async def image_user(self, image: str) -> str:
        """The image's USER, as `USER[:GROUP]`; empty without one. Cached like the id. Raises ImageNotFound."""
        ...

    async def pull(self, image: str, credentials: Credentials | None = None) -> str:
        """Pull the image; returns its id. Without credentials: with those of the engine's host, if it has any.

        Raises ImageNotFound, InvalidImageName, PullFailed.
        """
        ...

    async def load(self, archive: bytes) -> None:
        """Load the images of an archive in the format of `docker save`."""
        ...

    def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        """The container's log in pieces; does not read ahead."""
        ...

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events of containers with these labels, and of images; subscribed when the context is entered.

        The stream raises EngineGone when the engine goes away. An event may come twice. A reader must only take: an
        engine loses events of a reader that is slow.
        """
        ...

    async def close(self) -> None:
        """Close connections and threads; containers keep running."""
        ...
