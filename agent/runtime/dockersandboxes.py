"""DockerSandboxes: sandboxes of a Docker engine, which are containers that only wait.

Owns nothing: dockercontainers.py has the calls.
"""

from __future__ import annotations

from agent.runtime.convert import sandbox_body
from agent.runtime.dockercontainers import DockerContainers
from agent.runtime.records import ContainerId, ContainerRecord
from agent.runtime.sandboxes import SandboxSpec


class DockerSandboxes:
    """Sandboxes as containers."""

    def __init__(self, containers: DockerContainers) -> None:
        self._containers = containers

    async def create(self, spec: SandboxSpec) -> ContainerId:
        what = f"create {spec.name}"
        return await self._containers.create_from(sandbox_body(spec, what), spec.name, what)

    async def start(self, sandbox: ContainerId) -> None:
        await self._containers.start(sandbox)

    async def inspect(self, sandbox: str) -> ContainerRecord:
        return await self._containers.inspect(sandbox)

    async def remove(self, sandbox: ContainerId) -> None:
        await self._containers.remove(sandbox)
