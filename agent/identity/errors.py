"""Errors of joining and of the identity on disk.

IdentityError          the message is one line and says what to do
├── JoinRefused        the master refused: the same request will be refused again
├── MasterAway         the master did not answer: trying again may help
├── StateLocked        another agent uses the state directory
├── Unreadable         the identity on disk cannot be used
├── Forgotten          agent/departure.py: the master does not accept this machine as its node
└── AnotherMachine     agent/departure.py: the node is another machine
"""

from __future__ import annotations

from agent.errors import AgentError


class IdentityError(AgentError):
    """The root of this room's errors."""


class JoinRefused(IdentityError):
    """The master refused the join."""


class MasterAway(IdentityError):
    """The master did not answer."""


class StateLocked(IdentityError):
    """Another agent uses the state directory."""


class Unreadable(IdentityError):
    """The identity on disk cannot be used."""
