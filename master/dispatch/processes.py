"""Processes in containers: exec and attach as streams of their nodes. Implements the API's Processes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from master.dispatch.agentstreams import AgentStream, AgentStreams
from master.kinds.core.pod.processes import ProcessOptions
from proto.gen import session_pb2


class ProcessStreams:
    """Opens processes on nodes."""

    def __init__(self, streams: AgentStreams) -> None:
        self._streams = streams

    def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: ProcessOptions
    ) -> AbstractAsyncContextManager[AgentStream]:
        """The streams of a process; see Processes."""
        request = _request(namespace, pod, uid, container, options)
        return self._streams.open(node, request, what=f"pod {namespace}/{pod}", feature="exec and attach")


def _request(namespace: str, pod: str, uid: str, container: str, options: ProcessOptions) -> session_pb2.StreamRequest:
    process = session_pb2.ProcessRequest(
        pod_uid=uid,
        namespace=namespace,
        pod=pod,
        container=container,
        command=options.command,
        stdin=options.stdin,
        stdout=options.stdout,
        stderr=options.stderr,
        tty=options.tty,
    )
    if options.command:
        return session_pb2.StreamRequest(exec=process)
    return session_pb2.StreamRequest(attach=process)
