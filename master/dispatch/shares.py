"""Shares: how many streams of a node its users may have open, so that one of them cannot take all.

Owns the counts. Logs and all other streams are counted apart: people need logs most when something else goes wrong. The
agent bounds the numbers of a node too, against a master that asks for more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from master.api.errors import TooManyRequests
from proto import contract
from proto.gen import session_pb2

MAX_OF_NAMESPACE: Final = contract.MAX_STREAMS * 3 // 4
MAX_OF_POD: Final = contract.MAX_STREAMS // 2

_Key = tuple[str, ...]


class Shares:
    """Counts the streams of all nodes."""

    def __init__(self) -> None:
        self._open: Counter[_Key] = Counter()

    @contextmanager
    def taken(self, node: str, request: session_pb2.StreamRequest) -> Iterator[None]:
        """A place for the stream during the block. Raises TooManyRequests: its node, namespace or pod has too many."""
        limits = tuple(_limits(node, request))
        for key, limit, owner in limits:
            if self._open[key] >= limit:
                raise TooManyRequests(
                    f"{owner} has {limit} {_sort(request)} open already; try again when one has ended"
                )
        keys = Counter(key for key, _, _ in limits)
        self._open += keys
        try:
            yield
        finally:
            self._open -= keys


def _sort(request: session_pb2.StreamRequest) -> str:
    return "logs" if request.HasField("logs") else "streams"


def _limits(node: str, request: session_pb2.StreamRequest) -> Iterator[tuple[_Key, int, str]]:
    """What the stream counts for: a key, the most streams with this key, and its name for people."""
    sort = _sort(request)
    kind = request.WhichOneof("what")
    if kind is not None and kind != "node_query":
        source = getattr(request, kind)
        pod = f"{source.namespace}/{source.pod}"
        yield (node, sort, source.namespace, source.pod_uid), MAX_OF_POD, f"pod {pod}"
        yield (node, sort, source.namespace), MAX_OF_NAMESPACE, f"namespace {source.namespace} on node {node}"
    yield (node, sort), contract.MAX_STREAMS, f"node {node}"
