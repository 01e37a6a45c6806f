"""The actions for a pod: plain values, chosen by step.py and performed by perform.py.

Owns the complete list of actions. Two actions with the same key are never in progress at the same time.
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
    """Makes sure that the engine has the image for this attempt, by the container's pull policy."""

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
    """Sends the container's stop signal; `force`: SIGKILL."""

    container: str
    id: ContainerId
    force: bool
    why: str

    @property
    def key(self) -> str:
        return f"signal/{self.id}"


@dataclass(frozen=True, slots=True)
class RefreshContainer:
    """Asks the engine for details that its events do not contain."""

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
    """Key of actions for a container's image."""
    return f"image/{container}"


def container_key(container: str) -> str:
    """Key of actions for a container's newest instance."""
    return f"container/{container}"
