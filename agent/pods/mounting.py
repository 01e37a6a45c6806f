"""What a container gets of the volumes of its pod: mounts, and block devices.

Decides which of them are read-only. agent/volumes has prepared the volumes before.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.model import Container, FilesVolume, ImageVolume, Pod
from agent.pods.env import sub_path_of
from agent.pods.errors import ContainerConfigError
from agent.pods.interface import HostSecurity
from agent.pods.spec import propagation_of
from agent.pods.trees import read_only_trees
from agent.runtime.containers import Device, Mount
from agent.volumes.errors import VolumeError
from agent.volumes.interface import Mounted
from agent.volumes.manager import Volumes
from agent.volumes.subpaths import SubPath


async def volume_mounts(
    volumes: Volumes,
    pod: Pod,
    container: Container,
    mounted: Mounted,
    *,
    env: Mapping[str, str],
    security: HostSecurity,
) -> list[Mount]:
    """The mounts of a container; paths in volumes that are missing are made. Raises ContainerConfigError."""
    mounts = []
    # Files with values of other objects are read-only, as in Kubernetes.
    read_only = {volume.name for volume in pod.volumes if volume.read_only or isinstance(volume.source, FilesVolume)}
    of_images = {volume.name for volume in pod.volumes if isinstance(volume.source, ImageVolume)}
    trees = read_only_trees(container, security)
    for index, mount in enumerate(container.volume_mounts):
        volume = mounted.get(mount.name)
        if volume is None:
            raise ContainerConfigError(f'volumeMount "{mount.name}": the pod has no such volume')
        inside = SubPath(mount.name, sub_path_of(mount, env), container.name, index, index in trees)
        try:
            source = await volumes.mount_source(pod, volume, inside)
        except VolumeError as error:
            prefix = f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
            raise ContainerConfigError(f"{prefix}: {error}") from error
        # An image volume is read-only by itself. Asked for it again, engines would drop its other restrictions.
        only = (mount.read_only or mount.name in read_only) and mount.name not in of_images
        mounts.append(Mount(str(source), mount.mount_path, only, propagation_of(mount)))
    return mounts


def devices(pod: Pod, container: Container, mounted: Mounted) -> list[Device]:
    """The volumes that the container sees as block devices. Raises ContainerConfigError."""
    read_only = {volume.name for volume in pod.volumes if volume.read_only}
    found = []
    for device in container.volume_devices:
        source = mounted.get(device.name)
        if source is None:
            raise ContainerConfigError(f'cannot find volume "{device.name}" to pass into container "{container.name}"')
        found.append(Device(str(source), device.path, "r" if device.name in read_only else "rwm"))
    return found
