"""Joins what was read into a Snapshot, with the rates of processor time since the one before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent.usage.diskmeter import DiskReport
from agent.usage.figures import ContainerUsage, Machine, PodUsage, Snapshot, Traffic
from agent.usage.targets import ContainerTarget, PodTarget

MEASURE_S: Final = 10.0
"""The period of measurements, which is the kubelet's."""
SHORTEST_S: Final = 1.0
"""The use of a processor in less time says nothing."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read at one moment; `used` by the containers' ids."""

    pods: tuple[PodTarget, ...]
    used: Mapping[str, ContainerUsage]
    machine: Machine
    disks: DiskReport
    link_of: Callable[[str], str]
    """The host's end of a pod's link, by the pod's uid."""


def joined(before: Snapshot, readings: Readings, now: float) -> Snapshot:
    """The snapshot after `before`. `now`: monotonic seconds, at which reading began."""
    window_s = now - before.taken_at if before.at else 0.0
    earlier = {usage.target.id: usage for pod in before.pods for usage in pod.all_containers}
    machine = _machine(before, readings, window_s)
    return Snapshot(
        node=before.node,
        at=machine.at,
        taken_at=now,
        window_s=window_s,
        machine=machine,
        pods=tuple(_pod(pod, readings, earlier, window_s) for pod in readings.pods),
    )


def _machine(before: Snapshot, readings: Readings, window_s: float) -> Machine:
    machine, nano_cores = readings.machine, None
    if window_s >= SHORTEST_S:
        nano_cores = max(0, int((machine.cpu_ns - before.machine.cpu_ns) / window_s))
    of_pods = {readings.link_of(pod.uid) for pod in readings.pods}
    return replace(
        machine,
        cpu_nano_cores=nano_cores,
        links={name: seen for name, seen in machine.links.items() if name not in of_pods},
        state=readings.disks.state,
        images=readings.disks.images,
    )


def _pod(pod: PodTarget, readings: Readings, earlier: Mapping[str, ContainerUsage], window_s: float) -> PodUsage:
    def finished(target: ContainerTarget | None) -> ContainerUsage | None:
        usage = readings.used.get(target.id) if target is not None else None
        if usage is None:
            return None
        nano_cores, took_s = _rate(usage, earlier.get(usage.target.id), window_s)
        return replace(
            usage,
            cpu_nano_cores=nano_cores,
            window_s=took_s,
            logs=readings.disks.logs.get(usage.target.id),
            layer=readings.disks.layers.get(usage.target.id),
        )

    volumes = {volume.name: readings.disks.volumes.get((pod.uid, volume.name)) for volume in pod.volumes}
    return PodUsage(
        target=pod,
        sandbox=finished(pod.sandbox),
        containers=tuple(usage for each in pod.containers if (usage := finished(each)) is not None),
        traffic=None if pod.host_network else _traffic(readings.machine, readings.link_of(pod.uid)),
        volumes={name: found for name, found in volumes.items() if found is not None},
    )


def _rate(usage: ContainerUsage, before: ContainerUsage | None, window_s: float) -> tuple[int | None, float]:
    """Nanoseconds of processor time a second, and in how many seconds; for a new container since its start."""
    used, took_s = usage.cgroup.cpu_ns, usage.at - usage.target.started_at
    if before is not None:
        used, took_s = used - before.cgroup.cpu_ns, window_s
    elif took_s > 2 * MEASURE_S:
        return None, 0.0  # it ran before this agent did
    return (max(0, int(used / took_s)), took_s) if took_s >= SHORTEST_S else (None, 0.0)


def _traffic(machine: Machine, link: str) -> Traffic | None:
    """What a pod received and sent, by the host's end of its link."""
    seen = machine.links.get(link)
    return seen.turned if seen is not None else None
