"""The agent's view of a container engine: a small asynchronous Protocol and its values.

Owns what pods may ask of an engine, in the engine's terms (containers, images, mounts), not in pods' terms. A sandbox
is a container like any other here. Implementations: docker.py (an engine), fake.py (memory, for tests).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Protocol

from agent.model import LogOptions

ContainerId = NewType("ContainerId", str)


class ContainerPhase(StrEnum):
    """Where a container is in its one life; it never goes back."""

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
    """What the kernel enforces; 0: no limit, the engine's own weight."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0
    memory_bytes: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True)
class Privileges:
    """Who the process is, and what it may."""

    user: str = ""
    privileged: bool = False
    read_only_root: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that a container is made from.

    `join` names the container whose network and IPC it shares; without it the container gets an IPC namespace that
    others can join, and with `host_network` the host's network, else a network namespace with nothing but loopback.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    join: ContainerId | None = None
    host_network: bool = False
    hostname: str = ""
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
    """A container as the engine tells it. Moments are seconds since the epoch; 0.0: not yet."""

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
    """The image's own; empty: SIGTERM."""

    @property
    def running(self) -> bool:
        return self.phase is ContainerPhase.RUNNING


class EventKind(StrEnum):
    """What an engine tells of itself."""

    CREATED = "create"
    STARTED = "start"
    DIED = "die"
    DESTROYED = "destroy"
    IMAGES_CHANGED = "images-changed"


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something that happened in the engine; `id` is a container's, or an image's for IMAGES_CHANGED."""

    kind: EventKind
    id: str
    at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    oom_killed: bool = False
    """Known by then; False may become True when the container is looked up."""


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """The engine's name and version, e.g. "docker", "20.10.24"."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}://{self.version}"


class Runtime(Protocol):
    """A container engine. Every call may raise the types of errors.py and nothing else."""

    async def version(self) -> RuntimeVersion:
        """Who answers."""
        ...

    async def create(self, spec: ContainerSpec) -> ContainerId:
        """Makes a container. CreateConflict when the name is taken, ImageNotFound when the image is not there."""
        ...

    async def start(self, container: ContainerId) -> None:
        """Starts it. StartRefused when its process cannot run; starting a running container does nothing."""
        ...

    async def signal(self, container: ContainerId, signal: str) -> None:
        """Sends a signal by name; one that does not run (or exist) takes none and that is no error."""
        ...

    async def remove(self, container: ContainerId) -> None:
        """Removes it, running or not, with its anonymous volumes; one that does not exist is no error."""
        ...

    async def inspect(self, container: str) -> ContainerRecord:
        """By id or name; NoSuchContainer."""
        ...

    async def list(self, labels: Mapping[str, str]) -> list[ContainerRecord]:
        """All containers with these labels, in every phase."""
        ...

    async def image_id(self, image: str) -> str | None:
        """The image's id when the engine has it. Answered from memory while no event says that images changed."""
        ...

    async def pull(self, image: str) -> str:
        """Asks the registry for the image; its id. ImageNotFound, InvalidImageName, PullFailed."""
        ...

    async def load(self, archive: bytes) -> None:
        """Gives the engine the images of an archive, as `docker save` writes one."""
        ...

    def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        """What the container wrote, in pieces; reads on only when asked for more. Ends when it is closed."""
        ...

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events of containers with these labels, and of images; subscribed when the context is entered.

        The stream raises EngineGone when the engine goes; an event may come twice, and none is lost in between.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections and threads; containers go on."""
        ...
