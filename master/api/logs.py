"""The door to containers' logs, which lie on nodes. Declared here, implemented by master/dispatch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of a log is wanted; None: no limit."""

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
        """Chunks of the log as they come; NodeUnreachable when the node has no session."""
