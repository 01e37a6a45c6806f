"""Scratch: reads files of images, by containers that never run.

Docker 20.10 has no other way to look into an image. Owns these containers: one at a time for each image, with a name by
which the next reader removes one that a killed agent left.
"""

from __future__ import annotations

import asyncio
import io
import logging
import posixpath
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakValueDictionary

from agent.runtime.client import EngineClient, Request
from agent.runtime.errors import CreateConflict, EngineFault, RuntimeFault, TimedOut
from agent.runtime.faults import CONFLICT, NOT_FOUND, EngineError, faults

_MAX_FILE_BYTES: Final = 1 << 20
_MOST_LINKS: Final = 8
_PREFIX: Final = "sampan_image_"
_NO_CONTAINER: Final = "no such container"
"""The status of a missing container is also that of a missing path; only the text tells them apart."""

log = logging.getLogger(__name__)


class Scratch:
    """Files of images."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def container(self, image_id: str) -> AsyncIterator[str]:
        """A container of the image, which does not run; its name. Raises RuntimeFault."""
        name = _PREFIX + image_id.removeprefix("sha256:")[:12]
        lock = self._locks.setdefault(image_id, asyncio.Lock())
        async with lock:
            try:
                await self._create(name, image_id)
            except CreateConflict:
                await self._remove(name)
                await self._create(name, image_id)
            try:
                yield name
            finally:
                try:
                    await self._remove(name)
                except RuntimeFault as error:
                    log.warning("container %s: not removed: %s", name, error)

    async def file(self, container: str, path: str) -> bytes:
        """The content of a file, through links; empty if there is none. Raises EngineFault for a large one."""
        for _ in range(_MOST_LINKS):
            member, content = await self._member(container, path)
            if member is None or not member.issym():
                return content
            path = posixpath.join(posixpath.dirname(path), member.linkname)
        return b""

    async def export(self, container: str) -> AsyncGenerator[bytes, None]:
        """All files of the container as a tar archive. Raises TimedOut if the engine stops for long."""
        what, idle_s = f"export {container}", self._client.limits.pull_progress_s
        request = Request("GET", f"/containers/{container}/export", what)
        with faults(what):
            async with self._client.stream(request, answer_s=idle_s) as body:
                pieces = body.pieces()
                while True:
                    try:
                        async with asyncio.timeout(idle_s):
                            piece = await anext(pieces)
                    except StopAsyncIteration:
                        return
                    except TimeoutError as error:
                        raise TimedOut(f"{what}: no progress for {idle_s:g} s") from error
                    yield piece

    async def _member(self, container: str, path: str) -> tuple[tarfile.TarInfo | None, bytes]:
        """What is at the path, with the content of a file; None: nothing."""
        what = f"read {path} of {container}"
        with faults(what):
            try:
                archive = await self._archive(container, path, what)
            except EngineError as error:
                if error.status != NOT_FOUND or _NO_CONTAINER in error.message.lower():
                    raise
                return None, b""
        try:
            with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
                member = opened.next()
                content = opened.extractfile(member) if member is not None and member.isreg() else None
                return member, content.read() if content is not None else b""
        except tarfile.TarError as error:
            raise EngineFault(f"{what}: the container engine's answer cannot be read: {error}") from error

    async def _archive(self, container: str, path: str, what: str) -> bytes:
        request = Request("GET", f"/containers/{container}/archive", what, parameters={"path": path})
        archive = bytearray()
        async with self._client.stream(request, answer_s=self._client.limits.call_s) as body:
            async for piece in body.pieces():
                archive += piece
                if len(archive) > _MAX_FILE_BYTES:
                    raise EngineFault(f"{what}: it has more than {_MAX_FILE_BYTES} bytes")
        return bytes(archive)

    async def _create(self, name: str, image_id: str) -> None:
        what = f"create {name}"
        # The command is never run; Docker wants one if the image has none.
        body: dict[str, Any] = {
            "Image": image_id,
            "Cmd": ["none"],
            "NetworkDisabled": True,
            "HostConfig": {"NetworkMode": "none"},
        }
        with faults(what):
            await self._client.call(Request("POST", "/containers/create", what, parameters={"name": name}, json=body))

    async def _remove(self, name: str) -> None:
        what = f"remove {name}"
        request = Request("DELETE", f"/containers/{name}", what, parameters={"v": "1", "force": "1"})
        with faults(what):
            try:
                await self._client.call(request)
            except EngineError as error:
                if error.status not in (NOT_FOUND, CONFLICT):  # gone, or being removed
                    raise
