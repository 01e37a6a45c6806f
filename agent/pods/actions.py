"""What can be done next for a pod: plain values, decided by step.py and done by perform.py.

Owns the closed list of actions. Two actions with one key are never under way together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.model import Container
from agent.runtime.interface import ContainerId

SANDBOX_KEY: Final = "sandbox"
NETWORK_KEY: Final = "network"


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    attempt: int

    @property
    def key(self) -> str:
        return SANDBOX_KEY


@dataclass(frozen=True, slots=True)
class StartSandbox:
    id: ContainerId

    @property
    def key(self) -> str:
        return SANDBOX_KEY


@dataclass(frozen=True, slots=True)
class AttachNetwork:
    sandbox: ContainerId
    pid: int

    @property
    def key(self) -> str:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class PrepareVolumes:
    @property
    def key(self) -> str:
        return "volumes"


@dataclass(frozen=True, slots=True)
class EnsureImage:
    """Makes sure that the image is there for this attempt, by the container's pull policy."""

    container: Container
    attempt: int

    @property
    def key(self) -> str:
        return image_key(self.container.name)


@dataclass(frozen=True, slots=True)
class CreateContainer:
    container: Container
    attempt: int
    sandbox: ContainerId
    sandbox_attempt: int

    @property
    def key(self) -> str:
        return container_key(self.container.name)


@dataclass(frozen=True, slots=True)
class StartContainer:
    container: Container
    id: ContainerId

    @property
    def key(self) -> str:
        return container_key(self.container.name)


@dataclass(frozen=True, slots=True)
class SignalContainer:
    """Asks a container to end (`force`: makes it)."""

    container: str
    id: ContainerId
    force: bool
    why: str

    @property
    def key(self) -> str:
        return f"signal/{self.id}"


@dataclass(frozen=True, slots=True)
class RefreshContainer:
    """Asks the engine for what its events do not say."""

    id: ContainerId

    @property
    def key(self) -> str:
        return f"refresh/{self.id}"


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    id: ContainerId

    @property
    def key(self) -> str:
        return f"remove/{self.id}"


@dataclass(frozen=True, slots=True)
class DetachNetwork:
    @property
    def key(self) -> str:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class ReleaseNetwork:
    @property
    def key(self) -> str:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class CleanDisk:
    @property
    def key(self) -> str:
        return "disk"


Action = (
    CreateSandbox
    | StartSandbox
    | AttachNetwork
    | PrepareVolumes
    | EnsureImage
    | CreateContainer
    | StartContainer
    | SignalContainer
    | RefreshContainer
    | RemoveContainer
    | DetachNetwork
    | ReleaseNetwork
    | CleanDisk
)


def image_key(container: str) -> str:
    """Key of what is done for a container's image."""
    return f"image/{container}"


def container_key(container: str) -> str:
    """Key of what is done for a container's newest instance."""
    return f"container/{container}"
