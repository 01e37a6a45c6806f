"""The interface to the logs of containers, which are on the nodes. Implemented by master/dispatch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The requested part of a log. None: no limit. `since_time` is RFC 3339 or empty."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


class LogSource(Protocol):
    """Reads the log of one container."""

    def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Yields chunks of the log as they arrive. Raises NodeUnreachable when the node has no session."""
