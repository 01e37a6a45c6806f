"""How a failed action is shown and retried: the waiting reason, the event, and the delays.

Owns Kubernetes' reasons for each kind of failure. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.pods import backoff
from agent.pods.actions import (
    Action,
    AttachNetwork,
    CreateContainer,
    CreateSandbox,
    EnsureImage,
    PrepareVolumes,
    StartContainer,
    StartSandbox,
)
from agent.pods.errors import ContainerConfigError, ImageMissing
from agent.runtime.errors import EngineFault, EngineGone, InvalidImageName, TimedOut
from agent.statuses import Waiting


@dataclass(frozen=True, slots=True)
class Failure:
    """An empty `event`: report none (an engine that is away is reported by the node)."""

    waiting: Waiting
    event: str = "Failed"
    container: str = ""
    first_s: float = 0.5
    longest_s: float = 60.0


def failure_of(action: Action, error: Exception) -> Failure:
    """The Failure for an error of this action."""
    text = str(error) or type(error).__name__
    if isinstance(error, EngineGone):
        # When the engine is back, its containers are listed again, and all actions are retried at once.
        return Failure(Waiting("ContainerCreating", text), "", first_s=2.0)
    match action:
        case EnsureImage():
            reason, event = _of_image(error)
            name = action.container.name
            return Failure(Waiting(reason, text), event, name, backoff.FIRST_DELAY_S, backoff.LONGEST_DELAY_S)
        case CreateContainer():
            reason = "CreateContainerConfigError" if isinstance(error, ContainerConfigError) else "CreateContainerError"
            return Failure(Waiting(reason, text), "Failed", action.container.name, first_s=1.0)
        case StartContainer():
            return Failure(Waiting("RunContainerError", text), "Failed", action.container.name, first_s=1.0)
        case CreateSandbox() | StartSandbox() | AttachNetwork():
            return Failure(Waiting("ContainerCreating", text), "FailedCreatePodSandBox")
        case PrepareVolumes():
            return Failure(Waiting("ContainerCreating", text), "FailedMount", first_s=1.0)
        case _:
            return Failure(Waiting("ContainerCreating", text), "FailedKillPod")


def _of_image(error: Exception) -> tuple[str, str]:
    """The reasons of the waiting container and of the event, as the kubelet gives them (pkg/kubelet/images)."""
    match error:
        case InvalidImageName():
            return "InvalidImageName", "InspectFailed"
        case ImageMissing():
            return "ErrImageNeverPull", "ErrImageNeverPull"
        case EngineFault() | TimedOut():
            # Only looking for the image on the node fails like this: a failed pull is a PullFailed.
            return "ImageInspectError", "InspectFailed"
        case _:
            return "ErrImagePull", "Failed"
