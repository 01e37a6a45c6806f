"""Sandboxes of an engine: the namespaces that the containers of a pod share. What they are created from, and the calls.

Docker has no sandboxes: there it is a container that only waits. Engines with sandboxes of their own (CRI) can fit in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.runtime.records import ContainerId, ContainerRecord


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything that a sandbox is created from.

    It has an IPC namespace that containers can join, and a network namespace with only loopback, unless it has the
    host's.
    """

    name: str
    image: str
    """Its program only waits; an engine with sandboxes of its own does not need it."""
    labels: Mapping[str, str]
    host_network: bool = False
    host_ipc: bool = False
    hostname: str = ""
    """All containers that join its network have it too."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Names and values of parameters of its own network and IPC namespaces."""
    cpu_shares: int = 0
    """0: the engine's default."""
    oom_score_adj: int = 0
    cgroup_parent: str = ""


class Sandboxes(Protocol):
    """Sandboxes. Calls raise RuntimeFault only (errors.py)."""

    async def create(self, spec: SandboxSpec) -> ContainerId:
        """Create a sandbox. Raises CreateConflict if the name is taken, ImageNotFound if the image is missing."""
        ...

    async def start(self, sandbox: ContainerId) -> None:
        """Start it; does nothing if it is running."""
        ...

    async def inspect(self, sandbox: str) -> ContainerRecord:
        """The record of a sandbox, by id or name; `pid` is in its namespaces. Raises NoSuchContainer."""
        ...

    async def remove(self, sandbox: ContainerId) -> None:
        """Remove it, running or not; does nothing if it does not exist. Its containers have ended before."""
        ...
