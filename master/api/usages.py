"""What nodes use, as the API shows it (metrics.k8s.io). Implemented by master/dispatch/sessions.py."""

from __future__ import annotations

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


class Usages(Protocol):
    """The last measurement of each node."""

    def usage(self, node: str) -> NodeUsage | None:
        """What the node uses; None if its agent has reported nothing lately."""
        ...


class NoUsages:
    """The usages of a process without agents."""

    def usage(self, node: str) -> NodeUsage | None:
        return None
