"""Errors of the pods' side, apart from the engine's.

AgentError
├── ContainerConfigError   the pod refers to a missing object; shown as CreateContainerConfigError
├── ImageMissing           pull policy Never, and the engine does not have the image
├── PullSecretError        a pull secret cannot be read, or the master has not sent it yet
├── LogUnavailable         no such pod, container or instance, or it has not started yet
├── ProcessUnavailable     the container of an exec or attach does not run
└── NoConnection           the pod has no network to which a connection could be made
"""

from __future__ import annotations

from agent.errors import AgentError


class ContainerConfigError(AgentError):
    """The container's settings cannot be computed yet; the missing object may still come from the master."""


class ImageMissing(AgentError):
    """The engine does not have the image, and it may not be pulled."""


class PullSecretError(AgentError):
    """A pull secret has no valid Docker configuration, or the node waits for it. The text contains nothing of it."""


class LogUnavailable(AgentError):
    """There is no such log; the text says why."""


class ProcessUnavailable(AgentError):
    """There is no container in which the requested process could run."""


class NoConnection(AgentError):
    """The pod has no network to which a connection could be made; the text says why."""
