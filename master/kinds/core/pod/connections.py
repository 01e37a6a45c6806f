"""The interface to TCP connections to pods, which their nodes make. Implemented by master/dispatch."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PodPort:
    """A TCP port of a pod, and the node of the pod."""

    node: str
    namespace: str
    pod: str
    uid: str
    port: int


class Connection(Protocol):
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


class Connections(Protocol):
    """Opens connections to pods."""

    def open(self, target: PodPort, *, by_pod_address: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection to the pod's address, or to the loopback address inside of the pod. Leaving closes it.

        Raises NodeUnreachable if the node has no session, BadRequest with the reason if nothing accepts it.
        """
        ...
