"""Sums over the containers of a pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from agent.usage.figures import Cgroup, ContainerUsage


def total_cpu(containers: Sequence[ContainerUsage]) -> tuple[int, int | None]:
    """Nanoseconds of processor time, and nanoseconds a second; None if that of one of them is not known."""
    rates = [container.cpu_nano_cores for container in containers]
    known = [rate for rate in rates if rate is not None]
    return sum(container.cgroup.cpu_ns for container in containers), sum(known) if len(known) == len(rates) else None


def total_memory(containers: Iterable[ContainerUsage]) -> Cgroup:
    """All counters, added."""
    cgroups = [container.cgroup for container in containers]
    return Cgroup(**{field.name: sum(getattr(each, field.name) for each in cgroups) for field in fields(Cgroup)})
