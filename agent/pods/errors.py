"""What keeps a container from being made or read, beside the engine.

AgentError
├── ContainerConfigError   the pod refers to something that is not there; shown as CreateContainerConfigError
├── ImageMissing           policy Never, and the engine has no such image
└── LogUnavailable         no such pod, container or instance, or nothing written yet
"""

from __future__ import annotations

from agent.errors import AgentError


class ContainerConfigError(AgentError):
    """The container's settings cannot be computed from what the node knows; may heal when the master sends more."""


class ImageMissing(AgentError):
    """The image is not there, and may not be pulled."""


class LogUnavailable(AgentError):
    """There is no such log; the text says why, for people."""
