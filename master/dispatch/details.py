"""What a container's status repeats of its spec: resources, mounts and stop signal, as the node applies them.

The node carries out exactly what the spec says, or refuses the pod, so it need not report this. A pure function.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from master.kinds.core.pod.container import Container, ContainerStatus
from master.kinds.core.pod.model import PodSpec, PodStatus
from master.kinds.core.pod.status import VolumeMountStatus
from master.kinds.core.pod.volume import VolumeMount


def detailed(spec: PodSpec, status: PodStatus) -> PodStatus:
    """The status with these details of all containers that exist on the node."""
    return replace(
        status,
        init_container_statuses=_detailed(spec.init_containers, status.init_container_statuses),
        container_statuses=_detailed(spec.containers, status.container_statuses),
        ephemeral_container_statuses=_detailed(spec.ephemeral_containers, status.ephemeral_container_statuses),
    )


def _detailed(containers: Iterable[Container], statuses: tuple[ContainerStatus, ...]) -> tuple[ContainerStatus, ...]:
    known = {container.name: container for container in containers}
    return tuple(_of(known[status.name], status) if status.name in known else status for status in statuses)


def _of(container: Container, status: ContainerStatus) -> ContainerStatus:
    if not status.container_id:
        return status
    return replace(
        status,
        resources=container.resources,
        volume_mounts=tuple(map(_mount, container.volume_mounts)),
        stop_signal=container.lifecycle.stop_signal if container.lifecycle is not None else None,
    )


def _mount(mount: VolumeMount) -> VolumeMountStatus:
    # No node makes mounts below a read-only one read-only too: IfPossible is not possible.
    return VolumeMountStatus(
        name=mount.name,
        mount_path=mount.mount_path,
        read_only=mount.read_only,
        recursive_read_only="Disabled" if mount.read_only else None,
    )
