"""Streams in both directions: the master asks on the session, the agent opens a call, and a client reads and writes.

Owns the waiting and the open streams, and the credit of both directions: at most a window of bytes waits here for each
direction of a stream. What is asked is in processes.py, connections.py and nodequeries.py; logs are in streams.py.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from master.api.errors import ApiError, BadRequest, NodeUnreachable
from master.dispatch.agentcalls import OPEN_TIMEOUT_S, AgentCall, why_unanswered
from master.dispatch.errors import NoStream
from master.dispatch.sessions import Session, Sessions
from master.kinds.core.pod.processes import Output
from proto import contract
from proto.gen import session_pb2


class AgentStream:
    """A stream between a client and an agent; implements ProcessStream, Connection and the answer of a query."""

    def __init__(self, session: Session, what: str) -> None:
        self.session = session
        self.what = what
        self.exit_code: int | None = None
        self.status = 0
        """The status of the answer to a query, as in HTTP."""
        self.content_type = ""
        self.answered = asyncio.Event()
        self.ready = asyncio.Event()
        """The agent takes input, or the stream has ended."""
        self.refused = False
        """The agent's first message was an error: there is nothing to carry."""
        self.closed = asyncio.Event()
        self.agent: AgentCall | None = None
        self.error: ApiError | None = None
        self._output: asyncio.Queue[tuple[Output, bytes] | None] = asyncio.Queue()  # bounded by the credit
        self._waiting = self._owed = self._credit = 0
        self._granted = asyncio.Event()
        self._sending = asyncio.Lock()

    async def read(self) -> tuple[Output, bytes] | None:
        piece = await self._output.get()
        if piece is None:
            self._output.put_nowait(None)
            if self.error is not None:
                raise self.error
            return None
        self._waiting -= len(piece[1])
        self._owed += len(piece[1])
        if self._owed >= contract.STREAM_WINDOW_BYTES // 2:
            owed, self._owed = self._owed, 0
            await self.send(session_pb2.StreamDown(credit_bytes=owed))
        return piece

    async def connected(self) -> None:
        """Wait until the other end takes input. Raises ApiError if the stream has failed instead."""
        await self.ready.wait()
        if self.error is not None:
            raise self.error

    async def write(self, data: bytes) -> None:
        sent = 0
        while sent < len(data):
            while not self._credit and not self.closed.is_set():
                self._granted.clear()
                await self._granted.wait()
            if self.closed.is_set():
                return  # the process has ended; `read` has the reason
            size = min(self._credit, len(data) - sent, contract.STREAM_CHUNK_BYTES)
            self._credit -= size
            await self.send(session_pb2.StreamDown(data=data[sent : sent + size]))
            sent += size

    async def close_input(self) -> None:
        await self.send(session_pb2.StreamDown(end=True))

    async def resize(self, *, width: int, height: int) -> None:
        await self.send(session_pb2.StreamDown(size=session_pb2.TerminalSize(width=width, height=height)))

    async def send(self, message: session_pb2.StreamDown) -> None:
        """Sends to the agent, one message at a time; does nothing after the end."""
        async with self._sending:
            if self.agent is not None and not self.closed.is_set():
                await self.agent.send(message)

    def take(self, message: session_pb2.StreamUp) -> bool:
        """Takes a message of the agent. Returns False when nothing may follow it."""
        if message.HasField("answer"):
            self.status, self.content_type = message.answer.status, message.answer.content_type
        if message.credit_bytes:
            self._credit += message.credit_bytes
            self._granted.set()
            self.ready.set()
        for channel, data in ((Output.STDOUT, message.data), (Output.STDERR, message.stderr)):
            if data:
                self._waiting += len(data)
                self._output.put_nowait((channel, data))
        if self._waiting > contract.STREAM_WINDOW_BYTES:
            self.end(BadRequest(f"node {self.session.node} sent more than its credit allows"))
        elif message.error:
            self.end(BadRequest(message.error))
        elif message.complete:
            self.exit_code = message.exit_code if message.HasField("exit_code") else None
            self.end(None)
        else:
            return True
        return False

    def end(self, error: ApiError | None) -> None:
        """Ends the output, after what has arrived. The first end counts."""
        if self.closed.is_set():
            return
        self.error = error
        self.close()
        self._output.put_nowait(None)

    def close(self) -> None:
        """Ends the stream for both sides."""
        self.closed.set()
        self.answered.set()
        self.ready.set()
        self._granted.set()


class AgentStreams:
    """All streams of this master that have both directions."""

    def __init__(self, sessions: Sessions, *, open_timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._sessions = sessions
        self._open_timeout_s = open_timeout_s
        self._streams: dict[str, AgentStream] = {}

    @asynccontextmanager
    async def open(
        self, node: str, request: session_pb2.StreamRequest, *, what: str, feature: str
    ) -> AsyncGenerator[AgentStream, None]:
        """A stream of the request, whose id is set here; leaving the context ends it.

        `what` names it in messages, and `feature` what an agent is too old for. Raises NodeUnreachable, and BadRequest
        with the agent's refusal.
        """
        session = self._session(node, feature)
        request.stream_id = uuid.uuid4().hex
        if not session.outbox.ask(request):
            raise NodeUnreachable(f"node {node} has too many streams to open; try again")
        stream = self._streams[request.stream_id] = AgentStream(session, what)
        try:
            await self._answered(stream)
            yield stream
        finally:
            del self._streams[request.stream_id]
            stream.close()

    def expects(self, stream_id: str) -> bool:
        """Whether a client waits for this stream."""
        return stream_id in self._streams

    async def serve(self, session: Session, first: session_pb2.StreamUp, agent: AgentCall) -> None:
        """Connects an agent's call with the client that waits for it. Raises NoStream without a client."""
        stream = self._streams.get(first.stream_id)
        if stream is None or stream.session.node != session.node or stream.answered.is_set():
            raise NoStream("no client waits for this stream")
        stream.agent = agent
        stream.refused = bool(first.error)
        if stream.take(first):
            await stream.send(session_pb2.StreamDown(credit_bytes=contract.STREAM_WINDOW_BYTES))
            stream.answered.set()
            async with asyncio.TaskGroup() as group:
                receiving = group.create_task(_receive(stream, agent), name=f"stream {first.stream_id}")
                await stream.closed.wait()
                receiving.cancel()

    def _session(self, node: str, feature: str) -> Session:
        session = self._sessions.current(node)
        if session is None or session.removed:
            raise NodeUnreachable(f"node {node} is not connected")
        if session.version < contract.PROCESSES_SINCE:
            raise BadRequest(f"the agent of node {node} is too old for {feature}; upgrade it")
        return session

    async def _answered(self, stream: AgentStream) -> None:
        """Waits until the agent has answered. Raises its refusal, NodeUnreachable."""
        why = await why_unanswered(stream.session, stream.answered, timeout_s=self._open_timeout_s)
        if stream.refused and stream.error is not None:
            raise stream.error
        if why:
            raise NodeUnreachable(f"node {stream.session.node} {why}")


async def _receive(stream: AgentStream, agent: AgentCall) -> None:
    """Takes the agent's messages. A call that ends before its last message was cut off."""
    try:
        while (message := await agent.read()) is not None:
            if not stream.take(message):
                return
    finally:
        lost = f"the connection to node {stream.session.node} was lost; the stream of {stream.what} ends here"
        stream.end(NodeUnreachable(lost))
