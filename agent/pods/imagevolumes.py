"""Gives the image volumes of one pod their files: pulls the image, has it unpacked, mounts it.

Owns that a volume keeps its image as long as the pod exists, also after a reboot. The files are those of
agent/volumes/imagetrees.py.
"""

from __future__ import annotations

import asyncio
from functools import partial

from agent.model import Container, Desired, ImageVolume, Pod
from agent.pods.images import Images
from agent.runtime import images as runtime_images
from agent.volumes.imagetrees import ImageTrees


class ImageVolumes:
    """The image volumes of one pod, filled one after the other."""

    def __init__(self, images: Images, engine: runtime_images.Images, trees: ImageTrees) -> None:
        self._images = images
        self._engine = engine
        self._trees = trees
        self._lock = asyncio.Lock()

    def mounted(self, pod: Pod) -> dict[str, str]:
        """The volumes that have their files already → the ids of the images."""
        names = (volume.name for volume in pod.volumes if isinstance(volume.source, ImageVolume))
        return {name: self._trees.kept(pod.uid, name) for name in names if self._trees.is_mounted(pod.uid, name)}

    async def ensure(self, pod: Pod, container: Container, volume: str, desired: Desired) -> str:
        """Returns the id of the image. `container`: it has the image and the pull policy of the volume.

        Raises AgentError, OSError.
        """
        async with self._lock:
            trees, uid = self._trees, pod.uid
            if trees.is_mounted(uid, volume):
                return trees.kept(uid, volume)
            if not trees.has(trees.kept(uid, volume)):
                # This very image, whatever has its name by now.
                image_id = await self._images.ensure(pod, container, desired)
                trees.keep(uid, volume, image_id)
                await trees.fill(image_id, partial(self._engine.export, image_id))
            trees.mount(uid, volume)
            return trees.kept(uid, volume)
