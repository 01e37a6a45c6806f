"""What of a pod can be measured: its running containers, and the volumes whose content it has for itself. Pure."""

from __future__ import annotations

from pathlib import Path

from agent.model import Container, EmptyDir, FilesVolume, Pod, Resources
from agent.pods.observed import Instance, Observed
from agent.pods.storage import is_limited
from agent.usage.targets import ContainerTarget, PodTarget, VolumeTarget


def target(pod: Pod, observed: Observed, directory: Path, started_at: float) -> PodTarget | None:
    """The pod as a target; None while nothing of it runs. `directory`: that of the pod on this node."""
    sandbox = observed.sandbox
    running = [
        _container(newest, container)
        for container in pod.all_containers
        if (newest := observed.newest(container.name)) is not None and newest.running
    ]
    present = sandbox is not None and sandbox.running
    if not running and not present:
        return None
    return PodTarget(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        started_at=started_at,
        host_network=pod.host_network,
        sandbox=_container(sandbox, None) if sandbox is not None and present else None,
        containers=tuple(running),
        volumes=tuple(
            VolumeTarget(
                volume.name, directory / "volumes" / volume.name, ephemeral=_is_ephemeral_storage(volume.source)
            )
            for volume in pod.volumes
            if isinstance(volume.source, EmptyDir | FilesVolume)
        ),
        limited=is_limited(pod),
    )


def _is_ephemeral_storage(source: EmptyDir | FilesVolume) -> bool:
    """As in Kubernetes: directories and config maps on the disk, and not what is in memory."""
    return source.medium == "" if isinstance(source, EmptyDir) else not source.in_memory


def _container(instance: Instance, container: Container | None) -> ContainerTarget:
    record = instance.record
    resources = container.resources if container is not None else Resources()
    return ContainerTarget(
        name=container.name if container is not None else "",
        id=record.id,
        engine_name=record.name,
        image=record.image,
        pid=record.pid,
        started_at=record.started_at,
        cpu_request_millis=resources.cpu_request_millis,
        cpu_limit_millis=resources.cpu_limit_millis,
        memory_limit_bytes=resources.memory_limit_bytes,
    )
