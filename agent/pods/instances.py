"""Creates containers and sandboxes in the engine, or adopts those that an earlier agent created.

Owns the choice between the engine's calls for containers and for sandboxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from agent.clock import Clock
from agent.pods.names import is_sandbox
from agent.runtime.containers import Containers, ContainerSpec
from agent.runtime.errors import CreateConflict
from agent.runtime.images import Images
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.runtime.sandboxes import Sandboxes, SandboxSpec

S = TypeVar("S", ContainerSpec, SandboxSpec)
_S_contra = TypeVar("_S_contra", contravariant=True)


class Creates(Protocol[_S_contra]):
    """The part of Containers and of Sandboxes that creates."""

    async def create(self, spec: _S_contra) -> ContainerId: ...
    async def inspect(self, container: str, /) -> ContainerRecord: ...


async def create(kind: Creates[S], spec: S, images: Images, clock: Clock) -> ContainerRecord:
    """Create what the spec says, or adopt what has its name: the same instance, created by an earlier agent."""
    try:
        made = await kind.create(spec)
    except CreateConflict:
        return await kind.inspect(spec.name)
    return ContainerRecord(
        id=made,
        name=spec.name,
        labels=spec.labels,
        phase=ContainerPhase.CREATED,
        image=spec.image,
        image_id=await images.id_of(spec.image) or "",
        created_at=clock.wall(),
    )


def kind_of(runtime: Runtime, labels: Mapping[str, str]) -> Containers | Sandboxes:
    """The engine's calls for a container or sandbox with these labels."""
    return runtime.sandboxes if is_sandbox(labels) else runtime.containers
