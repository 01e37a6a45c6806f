"""How a message of the master can be wrong.

WireError
├── Garbled    it cannot be read, or makes no sense: nothing of it is applied
└── Gap        a delta for another revision than the one at hand: ask for a snapshot
"""

from __future__ import annotations

from agent.errors import AgentError


class WireError(AgentError):
    """The root."""


class Garbled(WireError):
    """The message cannot be read or makes no sense; nothing of it is applied."""


class Gap(WireError):
    """A delta applies to another revision than the one at hand; the remedy is a snapshot."""
