"""Queries that agents answer about their nodes. Implements the API's NodeQueries."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from master.dispatch.agentstreams import AgentStream, AgentStreams
from proto.gen import session_pb2


class QueryStreams:
    """Asks nodes."""

    def __init__(self, streams: AgentStreams) -> None:
        self._streams = streams

    def ask(self, node: str, path: str, query: str) -> AbstractAsyncContextManager[AgentStream]:
        """The answer of a node; see NodeQueries."""
        request = session_pb2.StreamRequest(node_query=session_pb2.NodeQuery(path=path, query=query))
        return self._streams.open(node, request, what=f"node {node}", feature="the proxy of nodes")
