"""How a session ends.

SessionError
├── Lost       no connection, no answer in time: reconnect with back-off
├── Stale      the master has ended the session: say Hello again
│   └── Renewed    as it should be: there are other certificates to connect with
└── Refused    the master does not want this agent as it is: leave everything running, try again slowly
    └── Occupied   the node is another machine, or another node has this one's address

A message that is wrong ends a session too: WireError (agent/wire/errors.py).
"""

from __future__ import annotations

from agent.errors import AgentError


class SessionError(AgentError):
    """The root."""


class Lost(SessionError):
    """No connection, or no answer in time."""


class Stale(SessionError):
    """The session is over."""


class Renewed(Stale):
    """The session goes on as another one: with other certificates, or from another address."""


class Refused(SessionError):
    """The master does not want this agent as it is."""


class Occupied(Refused):
    """The node is another machine, or another node has this one's address."""
