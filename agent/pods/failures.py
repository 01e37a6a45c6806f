"""How a failed action is shown and retried: the waiting reason, the event, and the delays.

Owns Kubernetes' reasons for each kind of failure. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.model import Container
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
    """An empty `event`: report none (an engine that is away is reported by the node). An empty `text`: that of
    `waiting`."""

    waiting: Waiting
    event: str = "Failed"
    text: str = ""
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
            return _of_image(action.container, error, text)
        case CreateContainer():
            reason = "CreateContainerConfigError" if isinstance(error, ContainerConfigError) else "CreateContainerError"
            return Failure(Waiting(reason, text), "Failed", f"Error: {text}", action.container.name, first_s=1.0)
        case StartContainer():
            waiting = Waiting("RunContainerError", text)
            return Failure(waiting, "Failed", f"Error: {text}", action.container.name, first_s=1.0)
        case CreateSandbox() | StartSandbox() | AttachNetwork():
            return Failure(Waiting("ContainerCreating", text), "FailedCreatePodSandBox")
        case PrepareVolumes():
            return Failure(Waiting("ContainerCreating", text), "FailedMount", first_s=1.0)
        case _:
            return Failure(Waiting("ContainerCreating", text), "FailedKillPod")


def _of_image(container: Container, error: Exception, text: str) -> Failure:
    """The reasons and texts of the kubelet (pkg/kubelet/images)."""
    match error:
        case InvalidImageName():
            reason, event, event_text = "InvalidImageName", "InspectFailed", text
        case ImageMissing():
            reason, event, event_text = "ErrImageNeverPull", "ErrImageNeverPull", text
        case EngineFault() | TimedOut():
            # Only looking for the image on the node fails like this: a failed pull is a PullFailed.
            text = f'Failed to inspect image "{container.image}": {text}'
            reason, event, event_text = "ImageInspectError", "InspectFailed", text
        case _:
            reason, event, event_text = "ErrImagePull", "Failed", f'Failed to pull image "{container.image}": {text}'
    waiting = Waiting(reason, text)
    return Failure(waiting, event, event_text, container.name, backoff.FIRST_DELAY_S, backoff.LONGEST_DELAY_S)
