"""The actions for a pod: plain values, chosen by step.py and performed by perform.py.

Owns the complete list of actions. Two actions with the same key are never in progress at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from agent.model import Container
from agent.pods.verdict import Verdict
from agent.runtime.records import ContainerId


class On(StrEnum):
    """What an action works on."""

    SANDBOX = "sandbox"
    NETWORK = "network"
    VOLUMES = "volumes"
    IMAGE = "image"
    CONTAINER = "container"
    """The newest instance of a container."""
    POST_START = "post-start"
    PRE_STOP = "pre-stop"
    SIGNAL = "signal"
    DETAILS = "details"
    MESSAGE = "message"
    USER = "user"
    TREES = "trees"
    REMOVAL = "removal"
    VERDICT = "verdict"
    DISK = "disk"


class Key(NamedTuple):
    """The key of an action. `name` is a container's name, or the id of an instance; empty for the whole pod."""

    on: On
    name: str = ""


SANDBOX_KEY: Final = Key(On.SANDBOX)
NETWORK_KEY: Final = Key(On.NETWORK)
VOLUMES_KEY: Final = Key(On.VOLUMES)


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    attempt: int

    @property
    def key(self) -> Key:
        return SANDBOX_KEY


@dataclass(frozen=True, slots=True)
class StartSandbox:
    id: ContainerId

    @property
    def key(self) -> Key:
        return SANDBOX_KEY


@dataclass(frozen=True, slots=True)
class AttachNetwork:
    sandbox: ContainerId
    pid: int

    @property
    def key(self) -> Key:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class PrepareVolumes:
    @property
    def key(self) -> Key:
        return VOLUMES_KEY


@dataclass(frozen=True, slots=True)
class EnsureImage:
    """Makes sure that the engine has the image for this attempt, by the container's pull policy.

    `volume`: the files of the image become this volume instead; the container has the volume's image and policy then.
    """

    container: Container
    attempt: int
    volume: str = ""

    @property
    def key(self) -> Key:
        return Key(On.IMAGE, self.container.name)


@dataclass(frozen=True, slots=True)
class CreateContainer:
    container: Container
    attempt: int
    sandbox: ContainerId
    sandbox_attempt: int

    @property
    def key(self) -> Key:
        return Key(On.CONTAINER, self.container.name)


@dataclass(frozen=True, slots=True)
class StartContainer:
    container: Container
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.CONTAINER, self.container.name)


@dataclass(frozen=True, slots=True)
class PostStart:
    """Runs the hook of a container that has just started. Until it has ended, the container does not count as running.

    If the agent is killed meanwhile, the next one runs it again (Kubernetes: "at least once").
    """

    container: Container
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.POST_START, self.id)


@dataclass(frozen=True, slots=True)
class PreStop:
    """Runs the hook of a container that is to stop; its stop signal comes after it. `message`: why it stops.

    If the agent is killed meanwhile, the next one begins the stop again, with the hook ("at least once"). If the hook
    had ended, the next one only sends the stop signal, perhaps for the second time. So no stop is lost.
    """

    container: Container
    id: ContainerId
    message: str
    replaces: bool = False

    @property
    def key(self) -> Key:
        return Key(On.PRE_STOP, self.id)


@dataclass(frozen=True, slots=True)
class SignalContainer:
    """Sends the stop signal; `force`: SIGKILL. `replaces`: another instance will take its place.

    `message`: why it stops; empty if that is known already. `signal`: empty for that of the image.
    """

    container: str
    id: ContainerId
    force: bool
    message: str
    replaces: bool = False
    signal: str = ""

    @property
    def key(self) -> Key:
        return Key(On.SIGNAL, self.id)


@dataclass(frozen=True, slots=True)
class MarkReplaced:
    """Writes down that an instance that has ended gets a successor, whatever the restart policy says."""

    container: str
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.SIGNAL, self.id)


@dataclass(frozen=True, slots=True)
class RefreshContainer:
    """Asks the engine for details that its events do not contain."""

    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.DETAILS, self.id)


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """Makes the end of the log the termination message of an instance that failed, unless it has one."""

    container: str
    attempt: int
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.MESSAGE, self.id)


@dataclass(frozen=True, slots=True)
class ReadUser:
    """Learns as which user an instance runs."""

    container: str
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.USER, self.id)


@dataclass(frozen=True, slots=True)
class ReleaseTrees:
    """Unmounts the read-only trees that an instance was started with. The next one is created after that."""

    container: str
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.TREES, self.container)


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    id: ContainerId

    @property
    def key(self) -> Key:
        return Key(On.REMOVAL, self.id)


@dataclass(frozen=True, slots=True)
class DetachNetwork:
    @property
    def key(self) -> Key:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class ReleaseNetwork:
    @property
    def key(self) -> Key:
        return NETWORK_KEY


@dataclass(frozen=True, slots=True)
class KeepVerdict:
    """Writes down that the pod has ended, for later agents."""

    verdict: Verdict

    @property
    def key(self) -> Key:
        return Key(On.VERDICT)


@dataclass(frozen=True, slots=True)
class ReleaseVolumes:
    """Removes the volumes of a pod that has ended, with what is in those that were its own."""

    @property
    def key(self) -> Key:
        return VOLUMES_KEY


@dataclass(frozen=True, slots=True)
class CleanDisk:
    @property
    def key(self) -> Key:
        return Key(On.DISK)


Action = (
    CreateSandbox
    | StartSandbox
    | AttachNetwork
    | PrepareVolumes
    | EnsureImage
    | CreateContainer
    | StartContainer
    | PostStart
    | PreStop
    | SignalContainer
    | MarkReplaced
    | RefreshContainer
    | ReadMessage
    | ReadUser
    | ReleaseTrees
    | RemoveContainer
    | DetachNetwork
    | ReleaseNetwork
    | KeepVerdict
    | ReleaseVolumes
    | CleanDisk
)
