"""What the node life cycle knows of the agents' heartbeats. Implemented by master/dispatch/sessions.py."""

from __future__ import annotations

from typing import Protocol


class Heartbeats(Protocol):
    """When each agent was heard last. All times are the clock's monotonic seconds; heartbeats live in memory only."""

    @property
    def started_at(self) -> float:
        """When this master began to listen: nobody can have been heard before."""

    @property
    def stalled_at(self) -> float:
        """When the master's own loop last came back from a stall; `started_at` when it never stalled."""

    def last_seen(self, node: str) -> float | None:
        """When the node was heard last, None when not since the start. Updated before anything is written for it."""

    def end_session(self, node: str, reason: str) -> None:
        """Ends the node's session, if it has one: it must say Hello again, and re-reports everything."""
