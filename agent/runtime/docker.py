"""DockerRuntime: the Runtime on a Docker engine, by the Docker SDK's low-level client.

Owns the calls to the engine and their threads (the SDK blocks); `exec` has commands and attached streams, without the
SDK. Decides nothing: callers choose what to create and how
to react to errors.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
from docker.utils import parse_repository_tag

from agent.model import LogOptions
from agent.runtime.client import EngineClient
from agent.runtime.convert import EVENT_NAMES, create_body, event_from_json, image_from_inspect, record_from_inspect
from agent.runtime.dockerexec import DockerExec
from agent.runtime.errors import EngineFault, EngineGone, ImageNotFound, RuntimeFault, StartRefused
from agent.runtime.faults import CONFLICT, NOT_FOUND, has_dependents, pull_fault, status_of, translated
from agent.runtime.images import Image, ImageMemory
from agent.runtime.interface import (
    ContainerId,
    ContainerRecord,
    ContainerSpec,
    Credentials,
    EventKind,
    RuntimeEvent,
    RuntimeVersion,
)
from agent.runtime.oom import OomKills
from agent.runtime.streams import ThreadStream
from agent.runtime.threads import ClientThreads

log = logging.getLogger(__name__)

_CALL_TIMEOUT_S: Final = 120
_NOT_RUNNING: Final = frozenset({NOT_FOUND, CONFLICT})
_EVENT_OVERLAP_S: Final = 1
_SIGKILLED: Final = 137
"""The exit code of a process killed by SIGKILL (128 + 9)."""


class DockerRuntime:
    """A Docker engine behind its socket. On two cores, more than four call threads gain nothing."""

    def __init__(self, socket: Path, *, call_threads: int = 4, pull_threads: int = 3) -> None:
        self._socket = socket
        self._calls = ClientThreads(self._client, threads=call_threads, name="engine")
        self._pulls = ClientThreads(self._client, threads=pull_threads, name="pull")
        self._images = ImageMemory()
        self.exec = DockerExec(socket)
        self._oom_kills = OomKills()
        self._lingering: set[ContainerId] = set()
        """Containers that were removed for our callers but that the engine still keeps (`_remove`)."""

    async def version(self) -> RuntimeVersion:
        def ask(client: docker.APIClient) -> RuntimeVersion:
            with translated("version"):
                return RuntimeVersion("docker", str(client.version(api_version=False)["Version"]))

        return await self._calls.call(ask)

    async def create(self, spec: ContainerSpec) -> ContainerId:
        body = create_body(spec)

        def ask(client: docker.APIClient) -> ContainerId:
            with translated(f"create {spec.name}"):
                return ContainerId(client.create_container_from_config(body, spec.name)["Id"])  # type: ignore[no-untyped-call]

        try:
            return await self._calls.call(ask)
        except ImageNotFound:
            self._images.forget()
            raise

    async def start(self, container: ContainerId) -> None:
        def ask(client: docker.APIClient) -> None:
            with translated(f"start {container[:12]}"):
                try:
                    client.start(container)
                except docker.errors.NotFound:
                    raise
                except docker.errors.APIError as error:
                    raise StartRefused(str(error.explanation or error)) from error

        await self._calls.call(ask)

    async def signal(self, container: ContainerId, signal: str) -> None:
        def ask(client: docker.APIClient) -> None:
            with translated(f"signal {container[:12]}"):
                try:
                    client.kill(container, signal)
                except docker.errors.APIError as error:
                    if status_of(error) not in _NOT_RUNNING:
                        raise

        await self._calls.call(ask)

    async def remove(self, container: ContainerId) -> None:
        if not await self._calls.call(lambda client: _remove(client, container)):
            self._lingering.add(container)
            return
        for kept in tuple(self._lingering):
            try:
                if await self._calls.call(partial(_remove, container=kept)):
                    self._lingering.discard(kept)
            except RuntimeFault as error:
                # Retried with the next removal; the present one has succeeded.
                log.warning("container %s: not removed yet: %s", kept[:12], error)

    async def inspect(self, container: str) -> ContainerRecord:
        def ask(client: docker.APIClient) -> ContainerRecord:
            with translated(f"inspect {container[:12]}"):
                return self._record(client.inspect_container(container))

        return await self._calls.call(ask)

    async def list(self, labels: Mapping[str, str]) -> list[ContainerRecord]:
        def ask(client: docker.APIClient) -> list[ContainerRecord]:
            records = []
            with translated("list containers"):
                selectors = [f"{key}={value}" for key, value in labels.items()]
                for entry in client.containers(all=True, filters={"label": selectors}):
                    if entry["Id"] in self._lingering:
                        continue
                    try:
                        records.append(self._record(client.inspect_container(entry["Id"])))
                    except docker.errors.NotFound:
                        continue  # removed since the list was made
            return records

        return await self._calls.call(ask)

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

        def ask(client: docker.APIClient) -> Image | None:
            with translated(f"inspect image {image}"):
                try:
                    return image_from_inspect(client.inspect_image(image))  # type: ignore[no-untyped-call]
                except docker.errors.NotFound:
                    return None
                except docker.errors.APIError as error:
                    raise pull_fault(str(error.explanation or error), image) from error

        present = await self._calls.call(ask)
        if present is not None:
            self._images.put(image, present)
        return present

    async def pull(self, image: str, credentials: Credentials | None = None) -> str:
        pulled = await self._pulls.call(lambda client: _pull(client, image, credentials))
        self._images.put(image, pulled)
        return pulled.id

    async def load(self, archive: bytes) -> None:
        def ask(client: docker.APIClient) -> None:
            with translated("load an image"):
                # Read to the end: otherwise the client cannot use the connection again.
                for line in client.load_image(archive):  # type: ignore[no-untyped-call]
                    if "error" in line:
                        raise EngineFault(str(line["error"]))

        await self._calls.call(ask)
        self._images.forget()

    async def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        client = self._client(timeout_s=None)
        stream: ThreadStream[bytes] = ThreadStream(
            lambda: client.logs(
                container,
                stream=True,
                follow=options.follow,
                timestamps=options.timestamps,
                tail="all" if options.tail_lines is None else options.tail_lines,
                since=options.since_at or None,
            ),
            what=f"logs {container[:12]}",
            release=client.close,
        )
        await stream.start()
        try:
            while batch := await stream.batch():
                yield b"".join(batch)
        finally:
            stream.close()

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        return self._events(labels)

    @asynccontextmanager
    async def _events(self, labels: Mapping[str, str]) -> AsyncIterator[AsyncIterator[RuntimeEvent]]:
        client = self._client(timeout_s=None)
        # The engine answers just before it subscribes: including the last second leaves no gap.
        since = int(time.time()) - _EVENT_OVERLAP_S
        filters = {"type": ["container", "image"], "event": list(EVENT_NAMES)}
        stream: ThreadStream[dict[str, Any]] = ThreadStream(
            lambda: client.events(since=since, filters=filters, decode=True),
            what="events",
            release=client.close,
        )
        await stream.start()
        self._images.watch()
        try:
            yield self._typed(stream, labels)
        finally:
            self._images.unwatch()
            stream.close()

    async def _typed(
        self, stream: ThreadStream[dict[str, Any]], labels: Mapping[str, str]
    ) -> AsyncIterator[RuntimeEvent]:
        while batch := await stream.batch():
            for item in batch:
                event = event_from_json(item, labels)
                if event is None:
                    continue
                if event.kind is EventKind.IMAGES_CHANGED:
                    self._images.forget()
                if event.exit_code == _SIGKILLED:
                    # Otherwise the status would show a wrong reason until the container has been inspected.
                    event = replace(event, oom_killed=self._oom_kills.has(event.id))
                yield event
        raise EngineGone("events: the container engine closed the stream")

    async def close(self) -> None:
        self._calls.close()
        self._pulls.close()
        self._oom_kills.close()

    def _record(self, answer: Mapping[str, Any]) -> ContainerRecord:
        record = record_from_inspect(answer)
        if record.oom_killed or record.exit_code != _SIGKILLED or record.running:
            return record
        return replace(record, oom_killed=self._oom_kills.has(record.id))

    def _client(self, *, timeout_s: int | None = _CALL_TIMEOUT_S) -> docker.APIClient:
        return EngineClient(self._socket, timeout_s=timeout_s)


def _remove(client: docker.APIClient, container: ContainerId) -> bool:
    """Remove the container; returns when it is gone, even if another caller removes it. Blocks.

    False: it is dead, but Podman keeps it until the containers in its namespaces are removed.
    """
    with translated(f"remove {container[:12]}"):
        try:
            client.remove_container(container, v=True, force=True)
        except docker.errors.NotFound:
            return True
        except docker.errors.APIError as error:
            if has_dependents(error):
                with contextlib.suppress(docker.errors.APIError):  # it is not running
                    client.kill(container)
                return False
            if status_of(error) != CONFLICT:
                raise
            # It is being removed already, by hand or by a call of an earlier agent.
            with contextlib.suppress(docker.errors.NotFound):
                client.wait(container, timeout=_CALL_TIMEOUT_S, condition="removed")
    return True


def _pull(client: docker.APIClient, image: str, credentials: Credentials | None) -> Image:
    """Pull the image and return it. Blocks."""
    repository, tag = parse_repository_tag(image)
    auth = {"username": credentials.username, "password": credentials.password} if credentials else None
    source = f"with the credentials of {credentials.source}" if credentials else ""
    with translated(f"pull {image}"):
        try:
            # Read to the end, even after an error: otherwise the client cannot use the connection again.
            lines = list(client.pull(repository, tag=tag or "latest", stream=True, decode=True, auth_config=auth))
            for line in lines:
                if "error" in line:
                    raise pull_fault(str(line["error"]), image, source)
            return image_from_inspect(client.inspect_image(image))  # type: ignore[no-untyped-call]
        except docker.errors.APIError as error:
            raise pull_fault(str(error.explanation or error), image, source) from error
