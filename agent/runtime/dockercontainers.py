"""DockerContainers: containers of a Docker engine.

Owns the calls about one container, and those that the engine keeps although they were removed. Decides nothing: callers
choose what to create and how to react to errors.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from agent.model import LogOptions
from agent.runtime.client import EngineClient, Request
from agent.runtime.containers import ContainerSpec
from agent.runtime.convert import create_body, record_from_inspect
from agent.runtime.dockerlogs import read_log
from agent.runtime.errors import ImageNotFound, RuntimeFault, StartRefused
from agent.runtime.faults import CONFLICT, FIRST_SERVER_ERROR, NOT_FOUND, EngineError, faults, readable
from agent.runtime.imagememory import ImageMemory
from agent.runtime.oom import OomKills
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord

log = logging.getLogger(__name__)

_NOT_RUNNING: Final = frozenset({NOT_FOUND, CONFLICT})
_OCI_RUNTIME: Final = "OCI runtime"
"""Errors of runc and crun, which start the process, begin so."""
SIGKILLED: Final = 137
"""The exit code of a process killed by SIGKILL (128 + 9)."""


class DockerContainers:
    """Containers, and the sandboxes that Docker has as containers."""

    def __init__(self, client: EngineClient, images: ImageMemory, oom_kills: OomKills) -> None:
        self._client = client
        self._images = images
        self._oom_kills = oom_kills
        self._lingering: set[ContainerId] = set()
        """Containers that were removed for our callers but that the engine still keeps (`_remove`)."""

    async def create(self, spec: ContainerSpec) -> ContainerId:
        what = f"create {spec.name}"
        return await self.create_from(create_body(spec, what), spec.name, what)

    async def create_from(self, body: Mapping[str, Any], name: str, what: str) -> ContainerId:
        """Create a container or a sandbox from the body of a request."""
        request = Request("POST", "/containers/create", what, parameters={"name": name}, json=body)
        try:
            with faults(what):
                answer = await self._client.call(request)
        except ImageNotFound:
            self._images.forget()
            raise
        with readable(what):
            return ContainerId(answer["Id"])

    def is_removed(self, container: ContainerId) -> bool:
        """Whether it was removed for our callers, although the engine still keeps it."""
        return container in self._lingering

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
        return (await self.inspect(container)).phase is ContainerPhase.EXITED

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

    async def inspect(self, container: str, *, within_s: float = 0.0) -> ContainerRecord:
        """As in the Protocol, with a deadline; 0.0: that of calls."""
        request = _of(container, "GET", "/json", "inspect")
        with faults(request.what):
            answer = await self._client.call(request, within_s=within_s)
        with readable(request.what):
            return self._record(answer)

    def logs(self, container: ContainerId, options: LogOptions) -> AsyncIterator[bytes]:
        return read_log(self._client, container, options)

    def _record(self, answer: Mapping[str, Any]) -> ContainerRecord:
        record = record_from_inspect(answer)
        if record.oom_killed or record.exit_code != SIGKILLED or record.running:
            return record
        return replace(record, oom_killed=self._oom_kills.has(record.id))


def _of(container: str, method: str, end: str, verb: str) -> Request:
    """A request about one container."""
    return Request(method, f"/containers/{quote(container, safe='')}{end}", f"{verb} {container[:12]}")
