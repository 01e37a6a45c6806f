"""Logs of containers as streams of their nodes. Implements the API's LogSource."""

from __future__ import annotations

from collections.abc import AsyncIterator

from master.api.errors import BadRequest
from master.clock import Clock
from master.dispatch.agentstreams import AgentStreams
from master.kinds.core.pod.logs import LogOptions
from master.objects.meta import parse_time
from proto import checks
from proto.gen import session_pb2


class LogStreams:
    """Opens logs on nodes."""

    def __init__(self, streams: AgentStreams, clock: Clock) -> None:
        self._streams = streams
        self._clock = clock

    async def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Chunks of a container's log. Raises NodeUnreachable, or BadRequest with the agent's message."""
        request = log_request(options, self._clock.now().timestamp())
        request.pod_uid, request.namespace, request.pod, request.container = uid, namespace, pod, container
        what = f"pod {namespace}/{pod}"
        opening = self._streams.open(
            node,
            session_pb2.StreamRequest(logs=request),
            what=what,
            noun="log",
            consequence=f"; the log of {what} cannot be read now",
        )
        async with opening as stream:
            while (piece := await stream.read()) is not None:
                yield piece[1]


def log_request(options: LogOptions, now: float) -> session_pb2.LogRequest:
    """Kubernetes' log options as a message of the contract. Raises BadRequest. `now`: seconds since the epoch.

    A time before 1970 means the start of the log. Agents refuse times outside of the years 1970 to 9999.
    """
    since = 0.0
    if options.since_seconds is not None:
        since = now - options.since_seconds
    elif options.since_time:
        try:
            since = parse_time(options.since_time).timestamp()
        except ValueError as error:
            raise BadRequest(f"sinceTime: {error}") from error
    request = session_pb2.LogRequest(
        follow=options.follow,
        previous=options.previous,
        timestamps=options.timestamps,
        since_unix_s=int(min(max(since, 0), checks.YEAR_10000 - 1)),
        since_s=min(options.since_seconds or 0, checks.YEAR_10000 - 1),
        limit_bytes=options.limit_bytes or 0,
    )
    if options.tail_lines is not None:
        request.tail_lines = options.tail_lines
    return request
