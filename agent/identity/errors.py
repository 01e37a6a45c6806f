"""What can go wrong with an identity.

IdentityError          the message is one line and says what to do
├── JoinRefused        the master said no: trying again as it is changes nothing
├── MasterAway         the master did not answer: trying again may help
├── StateLocked        another agent uses the state directory
└── Unreadable         the identity on disk cannot be used
"""

from __future__ import annotations

from agent.errors import AgentError


class IdentityError(AgentError):
    """The root."""


class JoinRefused(IdentityError):
    """The master said no."""


class MasterAway(IdentityError):
    """The master did not answer."""


class StateLocked(IdentityError):
    """Another agent uses the state directory."""


class Unreadable(IdentityError):
    """The identity on disk cannot be used."""
