"""Log streams: the master asks on the session, the agent opens a stream, and the client reads its bytes.

Owns the waiting and the open streams, their ids, credit and timeouts. Implements the API's LogSource. Streams in both
directions are in agentstreams.py. An agent may send only as many bytes as it has credit for, so a slow client slows the
agent down and fills no memory here.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from master.api.errors import ApiError, BadRequest, NodeUnreachable
from master.clock import Clock
from master.dispatch.agentcalls import OPEN_TIMEOUT_S, AgentCall, why_unanswered
from master.dispatch.agentstreams import AgentStreams
from master.dispatch.connections import ConnectionStreams
from master.dispatch.errors import NoStream
from master.dispatch.nodequeries import QueryStreams
from master.dispatch.processes import ProcessStreams
from master.dispatch.sessions import Session, Sessions
from master.kinds.core.pod.logs import LogOptions
from master.objects.meta import parse_time
from proto import checks, contract
from proto.gen import session_pb2

CUT_OFF_S: Final = 0.1
"""gRPC cancels the task of a call that was cut off much sooner than this after the call's end could be read."""

log = logging.getLogger(__name__)


class _Stream:
    """A stream from an agent, which fills it, to a client, which drains it."""

    def __init__(self, session: Session, what: str) -> None:
        self.session = session
        self.node = session.node
        self.what = what
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()  # bounded by the credit
        self.error: ApiError | None = None
        self.waiting = 0
        self.owed = 0
        self.drained = asyncio.Event()

    def put(self, data: bytes) -> bool:
        """Adds bytes from the agent. If the agent exceeds its credit, ends the stream and returns False."""
        self.waiting += len(data)
        if self.waiting > contract.STREAM_WINDOW_BYTES:
            self.fail(BadRequest(f"node {self.node} sent more of the log than its credit allows"))
            return False
        self.chunks.put_nowait(data)
        return True

    def taken(self, size: int) -> None:
        """Notes that the client has read these bytes. After half a window the agent gets new credit for them."""
        self.waiting -= size
        self.owed += size
        if self.owed >= contract.STREAM_WINDOW_BYTES // 2:
            self.drained.set()

    def end(self) -> None:
        """Ends the stream for the client, after the bytes that have arrived."""
        self.chunks.put_nowait(None)

    def fail(self, error: ApiError) -> None:
        """Ends the stream for the client with an error; the first one counts."""
        self.error = self.error or error
        self.end()

    def cut_off(self) -> None:
        """The agent's call ended before the stream did: what has arrived must not look like the whole."""
        self.fail(NodeUnreachable(f"the connection to node {self.node} was lost; the log of {self.what} ends here"))

    def close(self) -> None:
        """Ends the stream for both sides."""
        self.closed.set()
        self.drained.set()


class LogStreams:
    """All streams of this master."""

    def __init__(self, sessions: Sessions, clock: Clock, *, open_timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._sessions = sessions
        self._clock = clock
        self._open_timeout_s = open_timeout_s
        self._streams: dict[str, _Stream] = {}
        self.both_ways = AgentStreams(sessions, open_timeout_s=open_timeout_s)
        self.processes = ProcessStreams(self.both_ways)
        self.connections = ConnectionStreams(self.both_ways)
        self.queries = QueryStreams(self.both_ways)

    async def open(
        self, node: str, namespace: str, pod: str, uid: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Chunks of a container's log. Raises NodeUnreachable, or BadRequest with the agent's message."""
        session = self._sessions.current(node)
        if session is None or session.removed:
            raise NodeUnreachable(f"node {node} is not connected; the log of pod {namespace}/{pod} cannot be read now")
        stream_id = uuid.uuid4().hex
        request = log_request(options, self._clock.now().timestamp())
        request.pod_uid, request.namespace, request.pod, request.container = uid, namespace, pod, container
        if not session.outbox.ask(session_pb2.StreamRequest(stream_id=stream_id, logs=request)):
            raise NodeUnreachable(f"node {node} has too many streams to open; try again")
        stream = self._streams[stream_id] = _Stream(session, f"pod {namespace}/{pod}")
        try:
            async for chunk in self._drain(stream):
                yield chunk
        finally:
            self._streams.pop(stream_id, None)
            stream.close()

    async def serve(self, session: Session, first: session_pb2.StreamUp, upstream: AgentCall) -> None:
        """Passes the bytes of an agent's stream to the client that waits for it. Raises NoStream without a client.

        `first`: the message that the caller has read already.
        """
        stream_id = first.stream_id
        if self.both_ways.expects(stream_id):
            return await self.both_ways.serve(session, first, upstream)
        stream = self._streams.get(stream_id)
        if stream is None or stream.node != session.node or stream.opened.is_set():
            raise NoStream("no client waits for this stream")
        stream.opened.set()
        await upstream.send(session_pb2.StreamDown(credit_bytes=contract.STREAM_WINDOW_BYTES))
        try:
            async with asyncio.TaskGroup() as group:
                filling = _fill(stream, first, upstream, says_complete=session.version >= contract.COMPLETE_SINCE)
                reader = group.create_task(filling, name=f"bytes of stream {stream_id}")
                group.create_task(_grant(stream, upstream), name=f"credit of stream {stream_id}")
                # The first side that ends, agent or client, ends the other side too.
                await stream.closed.wait()
                reader.cancel()
        finally:
            stream.close()

    async def _drain(self, stream: _Stream) -> AsyncGenerator[bytes, None]:
        if why := await why_unanswered(stream.session, stream.opened, timeout_s=self._open_timeout_s):
            raise NodeUnreachable(f"node {stream.node} {why}; the log of {stream.what} cannot be read now")
        while (chunk := await stream.chunks.get()) is not None:
            yield chunk
            stream.taken(len(chunk))
        if stream.error is not None:
            raise stream.error


async def _fill(stream: _Stream, first: session_pb2.StreamUp, upstream: AgentCall, *, says_complete: bool) -> None:
    """Passes on what the agent sends. `says_complete`: its last message says whether something is missing."""
    complete = False
    try:
        message: session_pb2.StreamUp | None = first
        while message is not None:
            if message.data and not stream.put(message.data):
                log.error("node %s: sent more of a stream than its credit allows; stream ended", stream.node)
                return
            if message.error:
                stream.fail(BadRequest(message.error))
            complete = message.complete
            message = await upstream.read()
        if not says_complete:
            # gRPC shows a call that was cut off as one that ended, and cancels this task soon after.
            await asyncio.sleep(CUT_OFF_S)
            complete = True
    finally:
        if complete:
            stream.end()
        else:
            stream.cut_off()
        stream.close()


async def _grant(stream: _Stream, upstream: AgentCall) -> None:
    while not stream.closed.is_set():
        await stream.drained.wait()
        stream.drained.clear()
        if stream.owed and not stream.closed.is_set():
            owed, stream.owed = stream.owed, 0
            await upstream.send(session_pb2.StreamDown(credit_bytes=owed))


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
        limit_bytes=options.limit_bytes or 0,
    )
    if options.tail_lines is not None:
        request.tail_lines = options.tail_lines
    return request
