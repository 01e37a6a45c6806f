"""Sums over the containers of a pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from agent.usage.figures import Cgroup, ContainerUsage


def total(containers: Iterable[ContainerUsage]) -> Cgroup:
    """All counters, added."""
    cgroups = [container.cgroup for container in containers]
    return Cgroup(**{field.name: sum(getattr(each, field.name) for each in cgroups) for field in fields(Cgroup)})


def total_nano_cores(containers: Sequence[ContainerUsage]) -> int | None:
    """Nanoseconds of processor time a second; None if that of one of them is not known."""
    known = [container.cpu_nano_cores for container in containers if container.cpu_nano_cores is not None]
    return sum(known) if len(known) == len(containers) else None
