"""A TCP connection that a node has made to one of its pods, as the API sees it."""

from __future__ import annotations

from typing import Protocol


class TcpConnection(Protocol):
    """A connection to a pod. All calls raise ApiError when the node fails or is lost."""

    async def read(self) -> tuple[int, bytes] | None:
        """A number without a meaning, and the next bytes; None: the pod has ended its side."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; waits while the pod does not read. After the end of the connection it does nothing."""
        ...

    async def close_input(self) -> None:
        """Nothing more is sent (half-close)."""
        ...
