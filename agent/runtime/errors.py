"""What can go wrong with the engine. Whether trying again can help is a type, not a text.

RuntimeFault(AgentError)
├── Retryable
│   ├── EngineGone          no answer from the engine at all
│   ├── EngineFault         the engine answered with an error of its own (5xx)
│   └── PullFailed          the registry could not be asked, or broke off
└── Permanent
    ├── ImageNotFound       nobody has this image
    ├── InvalidImageName    not an image reference
    ├── NoSuchContainer
    ├── CreateConflict      the name is taken: adopt what is there
    ├── StartRefused        the container cannot run as it is (no such command, no such directory)
    └── BadRequest          the engine refused what it was asked (4xx)
"""

from __future__ import annotations

from agent.errors import AgentError


class RuntimeFault(AgentError):
    """Root of the runtime's errors; the text is for people."""


class Retryable(RuntimeFault):
    """The same call may work later."""


class Permanent(RuntimeFault):
    """The same call will fail again until something else changes."""


class EngineGone(Retryable):
    """The engine does not answer."""


class EngineFault(Retryable):
    """The engine failed to do what it should be able to do."""


class PullFailed(Retryable):
    """An image could not be pulled this time."""


class ImageNotFound(Permanent):
    """No registry and no engine has the image."""


class InvalidImageName(Permanent):
    """Not an image reference."""


class NoSuchContainer(Permanent):
    """The container does not exist (any more)."""


class CreateConflict(Permanent):
    """A container of that name exists."""


class StartRefused(Permanent):
    """The engine could not start the container's process."""


class BadRequest(Permanent):
    """The engine refused the request."""
