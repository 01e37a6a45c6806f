"""The agent's view of a container engine: a small asynchronous Protocol, made of four others.

Owns what concerns the engine as a whole. sandboxes.py, containers.py, images.py and process.py have the other calls.
Implementations: docker.py (an engine), fake.py (in memory, for tests).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from agent.runtime.containers import Containers
from agent.runtime.events import RuntimeEvent
from agent.runtime.images import Images
from agent.runtime.process import Exec
from agent.runtime.records import ContainerRecord, Listed
from agent.runtime.sandboxes import Sandboxes
from agent.runtime.versions import RuntimeVersion


class Runtime(Protocol):
    """A container engine. Calls raise RuntimeFault only (errors.py)."""

    @property
    def name(self) -> str:
        """What the engine is, e.g. "docker"; certain after the first call."""
        ...

    @property
    def sandboxes(self) -> Sandboxes: ...
    @property
    def containers(self) -> Containers: ...
    @property
    def images(self) -> Images: ...
    @property
    def exec(self) -> Exec: ...

    async def version(self) -> RuntimeVersion:
        """The engine's name and version."""
        ...

    async def list(self, labels: Mapping[str, str]) -> Sequence[ContainerRecord]:
        """All containers and sandboxes with these labels, whatever their phase. Those that are stuck do not keep it
        waiting."""
        ...

    async def overview(self, labels: Mapping[str, str]) -> Sequence[Listed]:
        """The same by one cheap call, which asks about no single container."""
        ...

    def events(self, labels: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[RuntimeEvent]]:
        """Events of containers with these labels, and of images; subscribed when the context is entered.

        The stream raises EngineGone when the engine goes away. An event may come twice. A reader must only take: an
        engine loses events of a reader that is slow.
        """
        ...

    async def close(self) -> None:
        """Close the connections; containers keep running."""
        ...
