"""What this agent answers itself when a client asks for a path of the node (`/api/v1/nodes/NAME/proxy/PATH`).

Owns the table of paths and the form of an answer. Each path is a function, which assembly.py puts into the table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.statuses import Condition

PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Query:
    """A GET. `parameters`: as in a URL, without the question mark."""

    path: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query. `status`: as in HTTP."""

    body: bytes
    content_type: str = PLAIN
    status: int = 200


Handler = Callable[[Query], Awaitable[Answer]]
"""Answers one path. An AgentError becomes a 500 with its text."""


class Queries:
    """Answers queries by a table from paths to functions."""

    def __init__(self, table: Mapping[str, Handler]) -> None:
        self._table = dict(table)

    def add(self, path: str, handler: Handler) -> None:
        """Answer one more path, without a slash at its end."""
        self._table[path] = handler

    async def answer(self, query: Query) -> Answer:
        """The answer; a path that is not in the table is a 404, as in the kubelet."""
        handler = self._table.get(query.path.rstrip("/") or "/")
        if handler is None:
            return Answer(b"404 page not found\n", status=404)
        return await handler(query)


def healthz(conditions: Callable[[], Iterable[Condition]]) -> Handler:
    """Whether this node works: `ok`, or a 500 with what its condition Ready says."""

    async def answer(_: Query) -> Answer:
        ready = next((condition for condition in conditions() if condition.type == "Ready"), None)
        if ready is not None and ready.status == "True":
            return Answer(b"ok")
        why = ready.message if ready is not None else "the node has no condition yet"
        return Answer(f"[-]ready failed: {why}\nhealthz check failed\n".encode(), status=500)

    return answer
