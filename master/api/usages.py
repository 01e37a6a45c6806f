"""What nodes and pods use, as the API shows it (metrics.k8s.io). Implemented by master/dispatch/sessions.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What a machine used in the `window_s` seconds before `measured_at`: processor time on average, memory at the end.

    `memory_bytes` is the working set: the total without what is available to new processes.
    """

    measured_at: datetime
    window_s: float
    cpu_millis: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What a container used: processor time on average, in billionths of a core, and its working set at the end."""

    name: str
    cpu_nanos: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What the running containers of a pod used in the `window_s` seconds before `measured_at`."""

    measured_at: datetime
    window_s: float
    containers: tuple[ContainerUsage, ...]


class Usages(Protocol):
    """The last measurement of each node and its pods."""

    def usage(self, node: str) -> NodeUsage | None:
        """What the node uses; None if its agent has reported nothing lately."""
        ...

    def pod_usages(self, node: str) -> Mapping[str, PodUsage]:
        """What the pods of the node use, by uid, as its agent says; empty if it has reported nothing lately."""
        ...


class NoUsages:
    """The usages of a process without agents."""

    def usage(self, node: str) -> NodeUsage | None:
        return None

    def pod_usages(self, node: str) -> Mapping[str, PodUsage]:
        return {}
