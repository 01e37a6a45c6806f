"""What pods have written, for the comparison with their limits. Pure.

Owns what counts as ephemeral storage: as in the kubelet, the layers and logs of the containers, and the volumes on the
node's disk that end with the pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.usage.diskmeter import DiskReport
from agent.usage.figures import Space
from agent.usage.targets import PodTarget


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes by the names of running containers (layer and log) and of volumes. What is not known is missing."""

    containers: Mapping[str, int]
    volumes: Mapping[str, int]
    ephemeral_bytes: int
    """All that counts as the pod's ephemeral storage."""


def written(pods: Iterable[PodTarget], report: DiskReport) -> dict[str, Written]:
    """What each pod has written, by its uid."""
    return {pod.uid: _of_pod(pod, report) for pod in pods}


def _of_pod(pod: PodTarget, report: DiskReport) -> Written:
    containers = {
        container.name: _bytes(report.layers.get(container.id)) + _bytes(report.logs.get(container.id))
        for container in pod.containers
        if container.id in report.layers or container.id in report.logs
    }
    volumes = {
        volume.name: _bytes(report.volumes[pod.uid, volume.name])
        for volume in pod.volumes
        if (pod.uid, volume.name) in report.volumes
    }
    on_disk = sum(volumes.get(volume.name, 0) for volume in pod.volumes if volume.ephemeral)
    return Written(containers, volumes, sum(containers.values()) + on_disk)


def _bytes(space: Space | None) -> int:
    return (space.used_bytes or 0) if space is not None else 0
