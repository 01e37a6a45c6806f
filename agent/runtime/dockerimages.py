"""DockerImages: images of a Docker engine.

Owns the memory of what the engine has, which is valid while events are followed, and of the accounts in images.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from agent.runtime.accounts import Accounts
from agent.runtime.client import EngineClient, Request
from agent.runtime.convert import image_from_inspect
from agent.runtime.credentials import registry_auth
from agent.runtime.errors import EngineFault, ImageNotFound, NoSuchContainer
from agent.runtime.faults import faults, readable
from agent.runtime.imagememory import Image, ImageMemory
from agent.runtime.images import Credentials, Pulled
from agent.runtime.pulls import Pulls
from agent.runtime.references import parse
from agent.runtime.scratch import Scratch

_MOST_ACCOUNTS: Final = 64


class DockerImages:
    """Images, found by their references."""

    def __init__(self, client: EngineClient, memory: ImageMemory) -> None:
        self._client = client
        self._memory = memory
        self._pulls = Pulls(client)
        self._scratch = Scratch(client)
        self._accounts: dict[str, Accounts] = {}
        """By the image's id."""

    async def id_of(self, image: str) -> str | None:
        known = await self._image(image)
        return known.id if known else None

    async def has(self, image_id: str) -> bool:
        what = f"inspect image {image_id}"
        try:
            with faults(what):
                await self._client.call(Request("GET", f"/images/{quote(image_id)}/json", what))
        except (ImageNotFound, NoSuchContainer):
            return False
        return True

    async def user_of(self, image: str) -> str:
        return (await self._present(image)).user

    async def accounts_of(self, image: str) -> Accounts:
        known = (await self._present(image)).id
        if known not in self._accounts:
            async with self._scratch.container(known) as container:
                files = [await self._scratch.file(container, path) for path in ("/etc/passwd", "/etc/group")]
            while len(self._accounts) >= _MOST_ACCOUNTS:
                del self._accounts[next(iter(self._accounts))]
            self._accounts[known] = Accounts(*(content.decode(errors="replace") for content in files))
        return self._accounts[known]

    async def export(self, image_id: str) -> AsyncGenerator[bytes, None]:
        async with self._scratch.container(image_id) as container, aclosing(self._scratch.export(container)) as pieces:
            async for piece in pieces:
                yield piece

    async def pull(self, image: str, credentials: Credentials | None = None) -> Pulled:
        took_s = await self._pulls.pull(image, credentials)
        self._memory.forget()
        pulled = await self._image(image)
        if pulled is None:
            raise EngineFault(f'image "{image}" was pulled, but the container engine does not have it')
        return Pulled(pulled.id, pulled.size_bytes, took_s)

    async def has_own_credentials(self, image: str) -> bool:
        return bool(await registry_auth(parse(image).host))

    async def load(self, archive: bytes) -> None:
        what = "load an image"
        request = Request("POST", "/images/load", what, data=archive, headers={"Content-Type": "application/x-tar"})
        with faults(what):
            async with self._client.stream(request, answer_s=self._client.limits.call_s) as body:
                async for value in body.values():
                    if isinstance(value, dict) and value.get("error"):
                        raise EngineFault(f"{what}: {value['error']}")
        self._memory.forget()

    async def _present(self, image: str) -> Image:
        known = await self._image(image)
        if known is None:
            raise ImageNotFound(f'image "{image}" is not on the node')
        return known

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
