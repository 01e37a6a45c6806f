"""DockerImages: images of a Docker engine.

Owns the memory of what the engine has; it is valid while events are followed.
"""

from __future__ import annotations

from urllib.parse import quote

from agent.runtime.client import EngineClient, Request
from agent.runtime.convert import image_from_inspect
from agent.runtime.errors import EngineFault, ImageNotFound, NoSuchContainer
from agent.runtime.faults import faults, readable
from agent.runtime.imagememory import Image, ImageMemory
from agent.runtime.images import Credentials
from agent.runtime.pulls import Pulls
from agent.runtime.references import parse


class DockerImages:
    """Images, found by their references."""

    def __init__(self, client: EngineClient, memory: ImageMemory) -> None:
        self._client = client
        self._memory = memory
        self._pulls = Pulls(client)

    async def id_of(self, image: str) -> str | None:
        known = await self._image(image)
        return known.id if known else None

    async def user_of(self, image: str) -> str:
        known = await self._image(image)
        if known is None:
            raise ImageNotFound(f'image "{image}" is not on the node')
        return known.user

    async def pull(self, image: str, credentials: Credentials | None = None) -> str:
        await self._pulls.pull(image, credentials)
        self._memory.forget()
        pulled = await self._image(image)
        if pulled is None:
            raise EngineFault(f'image "{image}" was pulled, but the container engine does not have it')
        return pulled.id

    async def load(self, archive: bytes) -> None:
        what = "load an image"
        request = Request("POST", "/images/load", what, data=archive, headers={"Content-Type": "application/x-tar"})
        with faults(what):
            async with self._client.stream(request, answer_s=self._client.limits.call_s) as body:
                async for value in body.values():
                    if isinstance(value, dict) and value.get("error"):
                        raise EngineFault(f"{what}: {value['error']}")
        self._memory.forget()

    async def _image(self, image: str) -> Image | None:
        known = self._memory.get(image)
        if known is not None:
            return known
        parse(image)
        what, asked_at = f"inspect image {image}", self._memory.changes
        try:
            with faults(what):
                answer = await self._client.call(Request("GET", f"/images/{quote(image)}/json", what))
        except (ImageNotFound, NoSuchContainer):
            return None
        with readable(what):
            present = image_from_inspect(answer)
        self._memory.put(image, present, asked_at=asked_at)
        return present
