"""What the dispatcher refuses.

DispatchError          `status` is the gRPC status that the agent sees
├── Denied             PERMISSION_DENIED    not a node of this cluster, or not with this certificate
├── Occupied           ALREADY_EXISTS       another machine speaks as this node, or has its address
├── Stale              FAILED_PRECONDITION  the session is not the node's current one: say Hello again
├── Misfit             INVALID_ARGUMENT     another protocol version, or a message that makes no sense
└── NoStream           NOT_FOUND            nobody waits for this stream (any more)
"""

from __future__ import annotations

from typing import ClassVar


class DispatchError(Exception):
    """The root; the message is a sentence for people, sent to the agent."""

    status: ClassVar[str] = "INTERNAL"


class Denied(DispatchError):
    """Not a node of this cluster, or not with this certificate."""

    status = "PERMISSION_DENIED"


class Occupied(DispatchError):
    """Another machine speaks as this node, or has its address."""

    status = "ALREADY_EXISTS"


class Stale(DispatchError):
    """The session is not the node's current one."""

    status = "FAILED_PRECONDITION"


class Misfit(DispatchError):
    """Another protocol version, or a message that makes no sense."""

    status = "INVALID_ARGUMENT"


class NoStream(DispatchError):
    """Nobody waits for this stream (any more)."""

    status = "NOT_FOUND"
