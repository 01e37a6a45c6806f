"""What is measured: the running containers of the pods of this node, their links and volumes.

Values only. agent/pods/measurable.py makes them of the pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ContainerTarget:
    """A running container; the name of a sandbox is empty."""

    name: str
    id: str
    engine_name: str
    """The engine's name of it."""
    image: str
    pid: int = 0
    """A process of it on this host; 0: not known."""
    started_at: float = 0.0
    """Seconds since the epoch."""
    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_limit_bytes: int = 0
    """0: no limit."""


@dataclass(frozen=True, slots=True)
class VolumeTarget:
    """A volume whose content the pod has for itself."""

    name: str
    path: Path
    ephemeral: bool = False
    """It is on the node's disk, and counts as the pod's ephemeral storage."""


@dataclass(frozen=True, slots=True)
class PodTarget:
    """A pod with at least one running container."""

    uid: str
    namespace: str
    name: str
    started_at: float
    host_network: bool = False
    sandbox: ContainerTarget | None = None
    containers: tuple[ContainerTarget, ...] = ()
    volumes: tuple[VolumeTarget, ...] = ()
    limited: bool = False
    """There are limits for what it writes to the node's disk, or to a volume."""

    @property
    def all_containers(self) -> tuple[ContainerTarget, ...]:
        """The containers, the sandbox first."""
        return (self.sandbox, *self.containers) if self.sandbox is not None else self.containers
