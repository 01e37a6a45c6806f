"""The errors with which the dispatcher refuses a call.

DispatchError          `status` is the gRPC status that the agent gets
├── Denied             PERMISSION_DENIED    not a node of this cluster, or not its certificate
├── Occupied           ALREADY_EXISTS       another machine is connected as this node, or has its address
├── Stale              FAILED_PRECONDITION  not the node's current session: say Hello again
├── InvalidMessage     INVALID_ARGUMENT     unsupported protocol version, or invalid content
└── NoStream           NOT_FOUND            unknown stream, or one that has ended
"""

from __future__ import annotations

from typing import ClassVar


class DispatchError(Exception):
    """The root. The message is sent to the agent and written for people."""

    status: ClassVar[str] = "INTERNAL"


class Denied(DispatchError):
    """The caller is not a node of this cluster, or does not use the node's certificate."""

    status = "PERMISSION_DENIED"


class Occupied(DispatchError):
    """Another machine is connected as this node, or another node has its address."""

    status = "ALREADY_EXISTS"


class Stale(DispatchError):
    """The session is not the node's current one."""

    status = "FAILED_PRECONDITION"


class InvalidMessage(DispatchError):
    """The protocol version is not supported, or the message's content is invalid."""

    status = "INVALID_ARGUMENT"


class NoStream(DispatchError):
    """No client waits for this stream, or not any more."""

    status = "NOT_FOUND"
