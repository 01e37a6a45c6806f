"""DockerRuntime: the Runtime on a Docker engine, or on Podman, by Docker's API on a Unix socket.

Owns the calls about the engine as a whole; dockersandboxes.py, dockercontainers.py, dockerimages.py and dockerexec.py
have the others.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.runtime.client import EngineClient, Limits, Request
from agent.runtime.convert import listed_from_json, partial_record
from agent.runtime.dockercontainers import SIGKILLED, DockerContainers
from agent.runtime.dockerevents import subscribed
from agent.runtime.dockerexec import DockerExec
from agent.runtime.dockerimages import DockerImages
from agent.runtime.dockersandboxes import DockerSandboxes
from agent.runtime.errors import EngineFault, NoSuchContainer, TimedOut
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.faults import faults, readable
from agent.runtime.imagememory import ImageMemory
from agent.runtime.oom import OomKills
from agent.runtime.records import ContainerRecord, Listed
from agent.runtime.versions import RuntimeVersion, version_from_json

log = logging.getLogger(__name__)


class DockerRuntime:
    """An engine behind its socket."""

    def __init__(self, socket: Path, *, limits: Limits | None = None) -> None:
        self._client = EngineClient(socket, limits)
        self._memory = ImageMemory()
        self._oom_kills = OomKills()
        self.containers = DockerContainers(self._client, self._memory, self._oom_kills)
        self.sandboxes = DockerSandboxes(self.containers)
        self.images = DockerImages(self._client, self._memory)
        self.exec = DockerExec(self._client)

    @property
    def name(self) -> str:
        return self._client.engine

    async def version(self) -> RuntimeVersion:
        with faults("version"):
            # The answer says whether the engine lives: calls that are stuck must not keep it waiting.
            answer = await self._client.call(Request("GET", "/version", "version"), at_once=True)
        with readable("version"):
            return version_from_json(answer)

    async def list(self, labels: Mapping[str, str]) -> Sequence[ContainerRecord]:
        entries = await self._entries(labels)
        try:
            async with asyncio.TaskGroup() as group:
                looks = [group.create_task(self._looked(*each), name=f"inspect {each[0].id[:12]}") for each in entries]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [record for look in looks if (record := look.result()) is not None]

    async def overview(self, labels: Mapping[str, str]) -> Sequence[Listed]:
        return [listed for listed, _ in await self._entries(labels)]

    async def _entries(self, labels: Mapping[str, str]) -> Sequence[tuple[Listed, Mapping[str, Any]]]:
        what = "list containers"
        filters = json.dumps({"label": [f"{key}={value}" for key, value in labels.items()]})
        request = Request("GET", "/containers/json", what, parameters={"all": "1", "filters": filters})
        with faults(what):
            answer = await self._client.call(request)
        with readable(what):
            entries = [(listed_from_json(entry), entry) for entry in answer]
        return [each for each in entries if not self.containers.is_removed(each[0].id)]

    async def _looked(self, listed: Listed, entry: Mapping[str, Any]) -> ContainerRecord | None:
        try:
            return await self.containers.inspect(listed.id, within_s=self._client.limits.look_s)
        except NoSuchContainer:
            return None  # removed since the list was made
        except (TimedOut, EngineFault) as error:
            log.warning("%s: %s", listed.name, error)
            return partial_record(listed, entry)

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        return self._events(labels)

    @asynccontextmanager
    async def _events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[RuntimeEvent]]:
        async with subscribed(self._client, labels) as events:
            self._memory.watch()
            try:
                yield self._completed(events)
            finally:
                self._memory.unwatch()

    async def _completed(self, events: AsyncIterator[RuntimeEvent]) -> AsyncIterator[RuntimeEvent]:
        async for event in events:
            if event.kind is EventKind.IMAGES_CHANGED:
                self._memory.forget()
            if event.exit_code == SIGKILLED:
                # Otherwise the status would show a wrong reason until the container has been inspected.
                yield replace(event, oom_killed=self._oom_kills.has(event.id))
            else:
                yield event

    async def close(self) -> None:
        await self._client.close()
        self._oom_kills.close()
