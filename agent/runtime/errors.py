"""Errors of the engine. The type says whether a retry can help.

RuntimeFault(AgentError)
├── Retryable
│   ├── EngineGone          no answer from the engine at all
│   ├── EngineFault         the engine answered with an error of its own (5xx)
│   ├── PullFailed          the registry could not be reached, or the transfer broke off
│   │   ├── PullDenied      the registry wants other credentials
│   │   └── PullGivenUp     it took too long; the engine may finish it all the same
│   └── TimedOut            a call took longer than its deadline
└── Permanent
    ├── ImageNotFound       neither the engine nor the registry has the image
    ├── InvalidImageName    not an image reference
    ├── NoSuchContainer     the container does not exist (any more)
    ├── CreateConflict      the name is taken: adopt the existing container
    ├── NotRunning          the container has ended, or has not started
    ├── StartRefused        the container cannot run as it is (no such command, no such directory)
    └── BadRequest          the engine refused the request (4xx)
"""

from __future__ import annotations

from agent.errors import AgentError


class RuntimeFault(AgentError):
    """The root of this room's errors; the text is for people."""


class Retryable(RuntimeFault):
    """The same call may work later."""


class Permanent(RuntimeFault):
    """The same call will fail again until something else changes."""


class EngineGone(Retryable):
    """The engine does not answer."""


class EngineFault(Retryable):
    """The engine failed with an error of its own."""


class PullFailed(Retryable):
    """An image could not be pulled this time."""


class PullDenied(PullFailed):
    """The registry wants credentials, or others. Some say so of images that they do not have, too."""


class PullGivenUp(PullFailed):
    """A pull took too long and was broken off. The engine may finish it all the same."""


class TimedOut(Retryable):
    """A call took longer than its deadline."""


class ImageNotFound(Permanent):
    """Neither the engine nor the registry has the image."""


class InvalidImageName(Permanent):
    """Not an image reference."""


class NoSuchContainer(Permanent):
    """The container does not exist (any more)."""


class CreateConflict(Permanent):
    """A container of that name exists."""


class NotRunning(Permanent):
    """The container has ended, or has not started."""


class StartRefused(Permanent):
    """The engine could not start the container's process."""


class BadRequest(Permanent):
    """The engine refused the request."""
