"""What the node observes of its pods and of itself and reports to the master: plain frozen values.

The counterpart of agent/model (what the master wants), with the same rules: no protobuf, no Docker; quantities carry
their unit in the name; times are seconds since the epoch (UTC), 0.0 means "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from agent.model import PodPhase, PodUid


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a pod; status is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A container that waits for its first start or for a restart."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A container that is running."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """A container that ended."""

    exit_code: int
    reason: str
    message: str = ""
    signal: int = 0
    started_at: float = 0.0
    finished_at: float = 0.0
    container_id: str = ""


NO_IMAGES: Final[Mapping[int, str]] = MappingProxyType({})

ContainerState = Waiting | Running | Terminated


@dataclass(frozen=True, slots=True)
class ContainerUser:
    """The user, the group and the further groups that the first process of a container started with."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """One container's status, as the API shows it."""

    name: str
    state: ContainerState
    image: str
    last_state: Terminated | None = None
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    image_id: str = ""
    container_id: str = ""
    read_only_trees: tuple[int, ...] = ()
    """The mounts of volumes below which everything is read-only, by their places among those of the container."""
    volume_images: Mapping[int, str] = field(default_factory=lambda: NO_IMAGES)
    """The ids of the images whose files are mounted, by places too."""
    user: ContainerUser | None = None
    """None: not known."""


@dataclass(frozen=True, slots=True)
class PodStatus:
    """A pod's complete status. `removed`: nothing of the pod is left on the node."""

    uid: PodUid
    namespace: str
    name: str
    phase: PodPhase = PodPhase.PENDING
    conditions: tuple[Condition, ...] = ()
    reason: str = ""
    message: str = ""
    host_ip: str = ""
    pod_ip: str = ""
    start_time: float = 0.0
    init_containers: tuple[ContainerStatus, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()
    ephemeral_containers: tuple[ContainerStatus, ...] = ()
    removed: bool = False
    observed_generation: int = 0
    """The generation of the pod that this status is about."""

    @property
    def all_containers(self) -> tuple[ContainerStatus, ...]:
        """The statuses of the containers: init containers first, ephemeral containers last."""
        return (*self.init_containers, *self.containers, *self.ephemeral_containers)


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about an object, for people to read."""

    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    at: float
    warning: bool = False
    field_path: str = ""


# --- the node itself -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """Facts about the machine. Only its addresses change while the agent runs."""

    machine_id: str
    address: str
    """The address that peers and clients reach the node by."""
    boot_id: str = ""
    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    agent_version: str = ""
    operating_system: str = ""
    architecture: str = ""
    hostname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    """All addresses of the machine: by them the master knows it again when another route changes `address`."""
    supplemental_groups_policy: bool = False
    """It carries out supplementalGroupsPolicy of pods."""
    read_only_trees: bool = False
    """It can make everything below a mount read-only (recursiveReadOnly)."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the machine can give to pods."""

    cpu_millis: int
    memory_bytes: int
    pods: int
    ephemeral_storage_bytes: int = 0


NO_CAPACITY: Final = Capacity(cpu_millis=0, memory_bytes=0, pods=0)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the machine uses; the CPU since the last heartbeat."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    ephemeral_storage_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """The content of a heartbeat."""

    capacity: Capacity
    usage: Usage
    conditions: tuple[Condition, ...]
    applied_revision: int
