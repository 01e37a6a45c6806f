"""What a container's status repeats of its spec: resources, mounts and stop signal, as the node applies them.

The node carries out exactly what the spec says, or refuses the pod, so it need not report this. It only reports which
mounts are read-only with all that is below them, because that may depend on its kernel, and the images of volumes. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from master.dispatch.sanity import MAX_WORD
from master.kinds.core.pod.container import Container, ContainerStatus
from master.kinds.core.pod.model import PodSpec, PodStatus
from master.kinds.core.pod.status import ImageVolumeStatus, VolumeMountStatus, VolumeStatus
from master.kinds.core.pod.volume import VolumeMount
from proto.gen import observed_pb2 as wire

_NO_REPORT: Final = wire.ContainerStatus()


def detailed(spec: PodSpec, status: PodStatus, report: wire.PodStatus) -> PodStatus:
    """The status, made of this report, with these details of all containers that exist on the node."""
    reports = (
        *report.init_container_statuses,
        *report.container_statuses,
        *report.ephemeral_container_statuses,
    )
    known = {each.name: each for each in reports}
    return replace(
        status,
        init_container_statuses=_detailed(spec.init_containers, status.init_container_statuses, known),
        container_statuses=_detailed(spec.containers, status.container_statuses, known),
        ephemeral_container_statuses=_detailed(spec.ephemeral_containers, status.ephemeral_container_statuses, known),
    )


def _detailed(
    containers: Iterable[Container],
    statuses: tuple[ContainerStatus, ...],
    reports: Mapping[str, wire.ContainerStatus],
) -> tuple[ContainerStatus, ...]:
    known = {container.name: container for container in containers}
    return tuple(
        _of(known[status.name], status, reports.get(status.name, _NO_REPORT)) if status.name in known else status
        for status in statuses
    )


def _of(container: Container, status: ContainerStatus, report: wire.ContainerStatus) -> ContainerStatus:
    if not status.container_id:
        return status
    return replace(
        status,
        resources=container.resources,
        volume_mounts=tuple(_mount(mount, place, report) for place, mount in enumerate(container.volume_mounts)),
        stop_signal=container.lifecycle.stop_signal if container.lifecycle is not None else None,
    )


def _mount(mount: VolumeMount, place: int, report: wire.ContainerStatus) -> VolumeMountStatus:
    recursive = "Enabled" if place in report.read_only_trees else "Disabled"
    image = report.volume_images.get(place)
    return VolumeMountStatus(
        name=mount.name,
        mount_path=mount.mount_path,
        read_only=mount.read_only,
        recursive_read_only=recursive if mount.read_only else None,
        volume_status=VolumeStatus(image=ImageVolumeStatus(image_ref=image[:MAX_WORD])) if image else None,
    )
