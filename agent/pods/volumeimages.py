"""Image volumes of a container: which of them have no files yet, and how their images are pulled. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from agent.model import Container, ImageVolume, Pod, Volume
from agent.pods.observed import Observed


def missing_volume(pod: Pod, container: Container, observed: Observed) -> Volume | None:
    """The first image volume that the container mounts and that has no files yet; None: nothing is missing."""
    mounted = {mount.name for mount in container.volume_mounts}
    volumes = (volume for volume in pod.volumes if isinstance(volume.source, ImageVolume) and volume.name in mounted)
    return next((volume for volume in volumes if volume.name not in observed.image_volumes), None)


def image_due(pod: Pod, container: Container, observed: Observed) -> str:
    """The image that has to be pulled next for the container: that of a volume, or its own."""
    volume = missing_volume(pod, container, observed)
    return container.image if volume is None else pulls_for(container, volume).image


def pulls_for(container: Container, volume: Volume) -> Container:
    """The container with the image and the pull policy of the volume: its image is pulled for this container."""
    source = volume.source
    if not isinstance(source, ImageVolume):
        return container
    return replace(container, image=source.reference, pull_policy=source.pull_policy)
