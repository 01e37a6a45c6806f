"""How a session ends.

SessionError
├── Lost       no connection, no answer in time: reconnect with back-off
├── Stale      the master has ended the session: say Hello again
│   └── Renewed    as it should be: there are other certificates to connect with
├── Garbled    what the master sent makes no sense: nothing of it is applied; reconnect with back-off
├── Gap        a delta applies to another revision than the one that is there: ask for a snapshot
├── Refused    the master does not want this agent as it is: leave everything running, try again slowly
│   └── Occupied   the node is another machine, or another node has this one's address
└── Removed    the Node was deleted: clean up and leave
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


class Garbled(SessionError):
    """What the master sent makes no sense; nothing of it is applied."""


class Gap(SessionError):
    """A delta applies to another revision than the one that is there: ask for a snapshot."""


class Refused(SessionError):
    """The master does not want this agent as it is."""


class Occupied(Refused):
    """The node is another machine, or another node has this one's address."""


class Removed(SessionError):
    """The Node was deleted."""
