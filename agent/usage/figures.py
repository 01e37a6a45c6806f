"""What was measured, as values: of a container, a pod, and the machine; and the snapshot of all of them.

Bytes, nanoseconds and counts are those of the kernel. Counters only grow while the container lives. Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.usage.targets import ContainerTarget, PodTarget

NANO: Final = 1_000_000_000
"""Nanoseconds of a second."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The counters of a cgroup and all cgroups in it."""

    cpu_ns: int = 0
    cpu_system_ns: int = 0
    """The part of `cpu_ns` that the kernel used for the processes."""
    periods: int = 0
    """Periods of the processor quota that have passed while the container wanted to run."""
    throttled_periods: int = 0
    throttled_ns: int = 0
    memory_bytes: int = 0
    working_set_bytes: int = 0
    """`memory_bytes` without cached file contents that were not used lately: what cannot be freed at once."""
    rss_bytes: int = 0
    """Anonymous memory."""
    cache_bytes: int = 0
    mapped_bytes: int = 0
    swap_bytes: int = 0
    faults: int = 0
    major_faults: int = 0
    threads: int = 0
    oom_kills: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """What has passed a link in one direction."""

    bytes: int = 0
    packets: int = 0
    errors: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has passed a link, as its owner sees it."""

    received: Counters = Counters()
    sent: Counters = Counters()

    @property
    def turned(self) -> Traffic:
        """The same as the link's other end sees it."""
        return Traffic(received=self.sent, sent=self.received)


@dataclass(frozen=True, slots=True)
class Space:
    """A file system, and the part of it that one owner uses; None: not known."""

    at: float
    capacity_bytes: int
    available_bytes: int
    inodes: int
    inodes_free: int
    used_bytes: int | None = None
    inodes_used: int | None = None


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """A container at one moment."""

    target: ContainerTarget
    at: float
    cgroup: Cgroup
    path: str = ""
    """The cgroup's path."""
    cpu_nano_cores: int | None = None
    """Processor time in nanoseconds a second, in the window; None: there is none."""
    window_s: float = 0.0
    """The time since the measurement before, or since the start of a new container."""
    logs: Space | None = None
    layer: Space | None = None
    """What the container wrote outside of volumes."""


@dataclass(frozen=True, slots=True)
class PodUsage:
    """A pod at one moment."""

    target: PodTarget
    sandbox: ContainerUsage | None = None
    containers: tuple[ContainerUsage, ...] = ()
    traffic: Traffic | None = None
    """What the pod received and sent; None for a pod in the host's network."""
    volumes: Mapping[str, Space] = field(default_factory=dict)

    @property
    def all_containers(self) -> tuple[ContainerUsage, ...]:
        """The containers, the sandbox first."""
        return (self.sandbox, *self.containers) if self.sandbox is not None else self.containers


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine at one moment."""

    at: float = 0.0
    booted_at: float = 0.0
    cores: int = 0
    cpu_ns: int = 0
    cpu_nano_cores: int | None = None
    memory_total_bytes: int = 0
    memory: Cgroup = Cgroup()
    """The fields about memory of a cgroup that has all processes."""
    swap_total_bytes: int = 0
    processes: int = 0
    """Threads too, as the kernel counts them."""
    max_processes: int = 0
    links: Mapping[str, Traffic] = field(default_factory=dict)
    default_link: str = ""
    """The link of the default route; empty: there is none."""
    state: Space | None = None
    """The file system of the agent's state: volumes are there."""
    images: Space | None = None
    """The file system of the containers; None: not known."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was measured last."""

    node: str = ""
    at: float = 0.0
    taken_at: float = 0.0
    """The same by the monotonic clock."""
    window_s: float = 0.0
    """The time between the last two measurements; 0.0: there was only one, or none."""
    machine: Machine = Machine()
    pods: tuple[PodUsage, ...] = ()
