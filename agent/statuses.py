"""The agent's own words for what the node sees of its pods, and tells the master: plain frozen values.

The other half of model.py's vocabulary, with the same rules: no protobuf, no Docker; moments are seconds since the
epoch (UTC), 0.0 meaning "not known".
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """A container that is not running yet, or not again yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs."""

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


ContainerState = Waiting | Running | Terminated


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


@dataclass(frozen=True, slots=True)
class PodStatus:
    """A pod's status, complete each time. `removed`: nothing of the pod is left on the node."""

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
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an object, told to people."""

    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    at: float
    warning: bool = False
    field_path: str = ""
