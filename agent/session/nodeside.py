"""What sessions need of the node, as a Protocol. Implemented by agent/node.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from agent.session.streams import Sources
from agent.statuses import Beat, Capacity, NodeInfo, PodStatus
from agent.usage.figures import Snapshot


class NodeSide(Sources, Protocol):
    """What a session needs of the node."""

    @property
    def beat_now(self) -> asyncio.Event:
        """Set when something changed that must be reported before the next heartbeat is due."""
        ...

    async def describe(self) -> tuple[NodeInfo, Capacity]:
        """For Hello. Raises OSError while the node's address is not known."""
        ...

    async def address(self) -> str:
        """The node's present address. Raises OSError while it is not known."""
        ...

    def beat(self) -> Beat: ...

    def usage(self) -> Snapshot:
        """What was measured last."""
        ...

    def statuses(self) -> Iterable[PodStatus]:
        """The statuses of all pods, which a new session begins with."""
        ...

    def desired_changed(self) -> None:
        """A cut was applied to the desired state."""
        ...

    async def leave(self) -> None:
        """Remove everything of ours from this machine; returns when nothing is left."""
        ...
