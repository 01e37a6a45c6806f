"""Measures the machine: capacity for the scheduler, usage and pressure for heartbeats.

Measures with psutil. A lab host reports its configured share of the machine as its capacity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from agent.config import AgentConfig
from agent.statuses import Capacity, Condition, Usage

MEMORY_PRESSURE_BYTES: Final = 100 << 20
"""Less available memory than this is pressure; Kubernetes' default."""
DISK_PRESSURE: Final = 0.10
"""A smaller free part of the disk than this is pressure; Kubernetes' default."""


class Vitals:
    """Measures this machine."""

    def __init__(self, config: AgentConfig) -> None:
        self._state_dir = config.state_dir
        self._cpu_millis = config.capacity_cpu_millis or (psutil.cpu_count() or 1) * 1000
        self._memory_bytes = config.capacity_memory_bytes or psutil.virtual_memory().total
        self._max_pods = config.max_pods
        psutil.cpu_percent(percpu=False)  # only sets the start of the first period

    def capacity(self) -> Capacity:
        """What the machine can give to pods."""
        return Capacity(
            cpu_millis=self._cpu_millis,
            memory_bytes=self._memory_bytes,
            ephemeral_storage_bytes=_disk(self._state_dir).total,
            pods=self._max_pods,
        )

    def usage(self) -> Usage:
        """What the machine uses; the CPU since the last call."""
        cpus = psutil.cpu_count() or 1
        memory = psutil.virtual_memory()
        return Usage(
            cpu_millis=int(psutil.cpu_percent() * cpus * 10),
            memory_bytes=memory.total - memory.available,
            ephemeral_storage_bytes=_disk(self._state_dir).used,
        )

    def pressure(self, disk_trouble: str = "") -> tuple[Condition, ...]:
        """Kubernetes' pressure conditions. `disk_trouble`: why nothing can be written, however much space is free."""
        disk = _disk(self._state_dir)
        memory_short = psutil.virtual_memory().available < MEMORY_PRESSURE_BYTES
        disk_short = bool(disk_trouble) or disk.free < disk.total * DISK_PRESSURE
        memory = _condition("MemoryPressure", memory_short, "MemoryPressure", "SufficientMemory", "memory")
        space = _condition("DiskPressure", disk_short, "DiskPressure", "NoDiskPressure", "disk")
        return memory, replace(space, message=disk_trouble or space.message)


def _condition(kind: str, short: bool, bad: str, good: str, what: str) -> Condition:
    return Condition(
        type=kind,
        status="True" if short else "False",
        reason=f"AgentHas{bad}" if short else f"AgentHas{good}",
        message=f"the agent has {'too little' if short else 'enough'} {what} available",
    )


@dataclass(frozen=True, slots=True)
class _Disk:
    """Bytes of the file system that the state directory lies on."""

    total: int
    used: int
    free: int


def _disk(path: Path) -> _Disk:
    usage = psutil.disk_usage(str(path))
    return _Disk(usage.total, usage.used, usage.free)
