"""TCP connections to ports of pods as streams of their nodes. Implements the API's Connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from master.dispatch.agentstreams import AgentStream, AgentStreams
from master.kinds.core.pod.connections import PodPort
from proto.gen import session_pb2


class ConnectionStreams:
    """Opens connections on nodes."""

    def __init__(self, streams: AgentStreams) -> None:
        self._streams = streams

    @asynccontextmanager
    async def open(self, target: PodPort, *, by_pod_address: bool) -> AsyncGenerator[AgentStream, None]:
        """A connection that is made; see Connections."""
        forward = session_pb2.PortForwardRequest(
            pod_uid=target.uid,
            namespace=target.namespace,
            pod=target.pod,
            port=target.port,
            by_pod_address=by_pod_address,
        )
        request = session_pb2.StreamRequest(port_forward=forward)
        what = f"pod {target.namespace}/{target.pod}"
        async with self._streams.open(target.node, request, what=what, feature="connections to pods") as stream:
            await stream.connected()
            yield stream
