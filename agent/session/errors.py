"""How a session ends.

SessionError
├── Lost       no connection, no answer in time: reconnect with back-off
├── Stale      the master has ended the session: say Hello again
│   └── Renewed    ended on purpose, to connect with other certificates or from another address
└── Refused    the master does not accept this agent: leave everything running, try again slowly
    └── Occupied   the node is another machine, or another node has this node's address

A bad message ends a session too: WireError (agent/wire/errors.py).
"""

from __future__ import annotations

from agent.errors import AgentError


class SessionError(AgentError):
    """The root of this room's errors."""


class Lost(SessionError):
    """No connection, or no answer in time: reconnect with back-off."""


class Stale(SessionError):
    """The master has ended the session."""


class Renewed(Stale):
    """The session is to be opened again, with other certificates or from another address.

    `works`: the old connection can still be used, so its streams may go on.
    """

    def __init__(self, text: str, *, works: bool = False) -> None:
        super().__init__(text)
        self.works = works


class Refused(SessionError):
    """The master does not accept this agent as it is."""


class Occupied(Refused):
    """The node is another machine, or another node has this node's address."""


class ReaderGone(AgentError):
    """The master has ended a stream: its client went away."""
