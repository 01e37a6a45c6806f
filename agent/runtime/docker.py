"""DockerRuntime: the Runtime on a Docker engine, by its API on a Unix socket.

Owns the calls to the engine. Decides nothing: callers choose what to create and how to react to errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from agent.model import LogOptions
from agent.runtime.client import EngineClient, Limits, Request
from agent.runtime.convert import (
    create_body,
    image_from_inspect,
    listed_from_json,
    partial_record,
    record_from_inspect,
)
from agent.runtime.dockerevents import subscribed
from agent.runtime.dockerexec import DockerExec
from agent.runtime.dockerlogs import read_log
from agent.runtime.errors import EngineFault, ImageNotFound, NoSuchContainer, RuntimeFault, StartRefused, TimedOut
from agent.runtime.faults import CONFLICT, FIRST_SERVER_ERROR, NOT_FOUND, EngineError, faults, readable
from agent.runtime.images import Image, ImageMemory
from agent.runtime.interface import (
    ContainerId,
    ContainerPhase,
    ContainerRecord,
    ContainerSpec,
    Credentials,
    EventKind,
    Listed,
    RuntimeEvent,
    RuntimeVersion,
)
from agent.runtime.oom import OomKills
from agent.runtime.pulls import Pulls
from agent.runtime.references import parse

log = logging.getLogger(__name__)

_NOT_RUNNING: Final = frozenset({NOT_FOUND, CONFLICT})
_OCI_RUNTIME: Final = "OCI runtime"
"""Errors of runc and crun, which start the process, begin so."""
_SIGKILLED: Final = 137
"""The exit code of a process killed by SIGKILL (128 + 9)."""


class DockerRuntime:
    """A Docker engine behind its socket, or Podman."""

    def __init__(self, socket: Path, *, limits: Limits | None = None) -> None:
        self._client = EngineClient(socket, limits)
        self._pulls = Pulls(self._client)
        self._images = ImageMemory()
        self.exec = DockerExec(self._client)
        self._oom_kills = OomKills()
        self._lingering: set[ContainerId] = set()
        """Containers that were removed for our callers but that the engine still keeps (`_remove`)."""

    async def version(self) -> RuntimeVersion:
        with faults("version"):
            # The answer says whether the engine lives: calls that are stuck must not keep it waiting.
            answer = await self._client.call(Request("GET", "/version", "version"), at_once=True)
        with readable("version"):
            return RuntimeVersion("docker", str(answer["Version"]))

    async def create(self, spec: ContainerSpec) -> ContainerId:
        what = f"create {spec.name}"
        request = Request(
            "POST", "/containers/create", what, parameters={"name": spec.name}, json=create_body(spec, what)
        )
        try:
            with faults(what):
                answer = await self._client.call(request)
        except ImageNotFound:
            self._images.forget()
            raise
        with readable(what):
            return ContainerId(answer["Id"])

    async def start(self, container: ContainerId) -> None:
        request = _of(container, "POST", "/start", "start")
        with faults(request.what):
            try:
                await self._client.call(request)
            except EngineError as error:
                if error.status == NOT_FOUND or not await self._refused(container, error):
                    raise
                raise StartRefused(error.message) from error

    async def _refused(self, container: ContainerId, error: EngineError) -> bool:
        """Whether the engine tried to start it. Otherwise the error is the engine's own, and a retry may help."""
        if error.status < FIRST_SERVER_ERROR or _OCI_RUNTIME in error.message:
            return True
        return (await self._inspect(container)).phase is ContainerPhase.EXITED

    async def signal(self, container: ContainerId, signal: str) -> None:
        request = replace(_of(container, "POST", "/kill", "signal"), parameters={"signal": signal})
        with faults(request.what):
            try:
                await self._client.call(request)
            except EngineError as error:
                if error.status not in _NOT_RUNNING:
                    raise

    async def remove(self, container: ContainerId) -> None:
        if not await self._remove(container):
            self._lingering.add(container)
            return
        for kept in tuple(self._lingering):
            try:
                if await self._remove(kept):
                    self._lingering.discard(kept)
            except RuntimeFault as error:
                # Retried with the next removal; the present one has succeeded.
                log.warning("container %s: not removed yet: %s", kept[:12], error)

    async def _remove(self, container: ContainerId) -> bool:
        """Remove the container; returns when it is gone, even if another caller removes it.

        False: it is dead, but Podman keeps it until the containers in its namespaces are removed.
        """
        request = replace(_of(container, "DELETE", "", "remove"), parameters={"v": "1", "force": "1"})
        with faults(request.what):
            try:
                await self._client.call(request)
            except EngineError as error:
                if error.has_dependents:
                    with contextlib.suppress(EngineError):  # it is not running
                        await self._client.call(_of(container, "POST", "/kill", "kill"))
                    return False
                if error.status == CONFLICT:
                    await self._wait_removed(container)
                elif error.status != NOT_FOUND:
                    raise
        return True

    async def _wait_removed(self, container: ContainerId) -> None:
        """It is being removed already, by hand or by a call of an earlier agent."""
        request = replace(_of(container, "POST", "/wait", "remove"), parameters={"condition": "removed"})
        try:
            await self._client.call(request)
        except EngineError as error:
            if error.status != NOT_FOUND:
                raise

    async def inspect(self, container: str) -> ContainerRecord:
        return await self._inspect(container)

    async def _inspect(self, container: str, *, within_s: float = 0.0) -> ContainerRecord:
        request = _of(container, "GET", "/json", "inspect")
        with faults(request.what):
            answer = await self._client.call(request, within_s=within_s)
        with readable(request.what):
            return self._record(answer)

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
        return [each for each in entries if each[0].id not in self._lingering]

    async def _looked(self, listed: Listed, entry: Mapping[str, Any]) -> ContainerRecord | None:
        try:
            return await self._inspect(listed.id, within_s=self._client.limits.look_s)
        except NoSuchContainer:
            return None  # removed since the list was made
        except (TimedOut, EngineFault) as error:
            log.warning("%s: %s", listed.name, error)
            return partial_record(listed, entry)

    async def image_id(self, image: str) -> str | None:
        known = await self._image(image)
        return known.id if known else None

    async def image_user(self, image: str) -> str:
        known = await self._image(image)
        if known is None:
            raise ImageNotFound(f'image "{image}" is not on the node')
        return known.user

    async def _image(self, image: str) -> Image | None:
        known = self._images.get(image)
        if known is not None:
            return known
        parse(image)
        what = f"inspect image {image}"
        try:
            with faults(what):
                answer = await self._client.call(Request("GET", f"/images/{quote(image)}/json", what))
        except (ImageNotFound, NoSuchContainer):
            return None
        with readable(what):
            present = image_from_inspect(answer)
        self._images.put(image, present)
        return present

    async def pull(self, image: str, credentials: Credentials | None = None) -> str:
        await self._pulls.pull(image, credentials)
        self._images.forget()
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
        self._images.forget()

    def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        return read_log(self._client, container, options)

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        return self._events(labels)

    @asynccontextmanager
    async def _events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[RuntimeEvent]]:
        async with subscribed(self._client, labels) as events:
            self._images.watch()
            try:
                yield self._completed(events)
            finally:
                self._images.unwatch()

    async def _completed(self, events: AsyncIterator[RuntimeEvent]) -> AsyncIterator[RuntimeEvent]:
        async for event in events:
            if event.kind is EventKind.IMAGES_CHANGED:
                self._images.forget()
            if event.exit_code == _SIGKILLED:
                # Otherwise the status would show a wrong reason until the container has been inspected.
                yield replace(event, oom_killed=self._oom_kills.has(event.id))
            else:
                yield event

    async def close(self) -> None:
        await self._client.close()
        self._oom_kills.close()

    def _record(self, answer: Mapping[str, Any]) -> ContainerRecord:
        record = record_from_inspect(answer)
        if record.oom_killed or record.exit_code != _SIGKILLED or record.running:
            return record
        return replace(record, oom_killed=self._oom_kills.has(record.id))


def _of(container: str, method: str, end: str, verb: str) -> Request:
    """A request about one container."""
    return Request(method, f"/containers/{quote(container, safe='')}{end}", f"{verb} {container[:12]}")
