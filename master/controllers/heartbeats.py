"""The heartbeats of the agents, as the node life cycle reads them. Implemented by master/dispatch/sessions.py."""

from __future__ import annotations

from typing import Protocol


class Heartbeats(Protocol):
    """When each agent sent its last heartbeat. Times are monotonic seconds; heartbeats are kept in memory only."""

    @property
    def started_at(self) -> float:
        """When this master began to listen: no heartbeat can be older."""

    @property
    def stalled_at(self) -> float:
        """When the master's event loop last resumed after a stall; `started_at` when it never stalled."""

    def last_seen(self, node: str) -> float | None:
        """The node's last heartbeat; None when there was none since the start.

        Updated before anything is written for the node.
        """

    def end_session(self, node: str, reason: str) -> None:
        """Ends the node's session, if there is one: the agent must say Hello again, and reports everything again."""
