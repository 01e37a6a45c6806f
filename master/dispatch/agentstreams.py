"""Streams: the master asks on the session, the agent opens a call, and a client reads and writes.

Owns the waiting and the open streams, and the credit of both directions: at most a window of bytes waits here for each
direction of a stream. What is asked is in logs.py, processes.py, connections.py and nodequeries.py.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from master.api.errors import ApiError, BadRequest, NodeUnreachable
from master.dispatch.agentcalls import OPEN_TIMEOUT_S, AgentCall, why_unanswered
from master.dispatch.errors import NoStream
from master.dispatch.sessions import Session, Sessions
from master.dispatch.shares import Shares
from master.kinds.core.pod.processes import Output
from proto import contract
from proto.gen import session_pb2

CUT_OFF_S: Final = 0.1
"""gRPC cancels the task of a call that was cut off much sooner than this after the call's end could be read."""


class AgentStream:
    """A stream between a client and an agent; implements ProcessStream, Connection and the answer of a query."""

    def __init__(self, session: Session, what: str, noun: str) -> None:
        """`noun` and `what` in messages: the stream of `what`, or its log."""
        self.session = session
        self.what = what
        self.noun = noun
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
        self._drained = asyncio.Event()
        self._input = bytearray()
        self._input_waits = asyncio.Event()
        self._input_taken = asyncio.Event()
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
            self._drained.set()
        return piece

    async def grant(self) -> None:
        """Give the agent new credit for what the client has read, in steps of half a window, until the stream ends."""
        while not self.closed.is_set():
            await self._drained.wait()
            self._drained.clear()
            owed, self._owed = self._owed, 0
            if owed:
                await self.send(session_pb2.StreamDown(credit_bytes=owed))

    async def connected(self) -> None:
        """Wait until the other end takes input. Raises ApiError if the stream has failed instead."""
        await self.ready.wait()
        if self.error is not None:
            raise self.error

    async def write(self, data: bytes) -> None:
        """After this, less data than fits in one message may still wait: what follows soon goes with it."""
        self._input += data
        self._input_waits.set()
        await self._sent(all_but=contract.STREAM_CHUNK_BYTES - 1)

    async def close_input(self) -> None:
        await self._sent(all_but=0)
        await self.send(session_pb2.StreamDown(end=True))

    async def feed(self) -> None:
        """Send the agent what clients have written, as much as it has credit for, until the stream ends."""
        while not self.closed.is_set():
            await self._input_waits.wait()
            while self._input and self._credit and not self.closed.is_set():
                size = min(self._credit, len(self._input), contract.STREAM_CHUNK_BYTES)
                data = bytes(self._input[:size])
                self._credit -= size
                await self.send(session_pb2.StreamDown(data=data))
                del self._input[:size]
                self._input_taken.set()
            self._input_waits.clear()

    async def _sent(self, *, all_but: int) -> None:
        """Wait until no more bytes than these wait to be sent, or the stream has ended: then `read` has the reason."""
        while len(self._input) > all_but and not self.closed.is_set():
            self._input_taken.clear()
            await self._input_taken.wait()

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
            self._input_waits.set()
            self.ready.set()
        for channel, data in ((Output.STDOUT, message.data), (Output.STDERR, message.stderr)):
            if data:
                self._waiting += len(data)
                self._output.put_nowait((channel, data))
        if self._waiting > contract.STREAM_WINDOW_BYTES:
            self.end(BadRequest(f"node {self.session.node} sent more of the {self.noun} than its credit allows"))
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
        self._input_waits.set()
        self._input_taken.set()
        self._drained.set()


class AgentStreams:
    """All streams of this master."""

    def __init__(self, sessions: Sessions, *, open_timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self._sessions = sessions
        self._open_timeout_s = open_timeout_s
        self._streams: dict[str, AgentStream] = {}
        self._shares = Shares()

    @asynccontextmanager
    async def open(
        self,
        node: str,
        request: session_pb2.StreamRequest,
        *,
        what: str,
        noun: str = "stream",
        feature: str = "",
        consequence: str = "",
    ) -> AsyncGenerator[AgentStream, None]:
        """A stream of the request, whose id is set here; leaving the context ends it.

        `what` and `noun` name it in messages. `feature`: what an agent of older versions does not have; empty: all have
        it. `consequence` follows the message about a node that cannot be asked. Raises NodeUnreachable, BadRequest with
        the agent's refusal, and TooManyRequests.
        """
        session = self._session(node, feature, consequence)
        with self._shares.taken(node, request):
            request.stream_id = uuid.uuid4().hex
            if not session.outbox.ask(request):
                raise NodeUnreachable(f"node {node} has too many streams to open; try again")
            stream = self._streams[request.stream_id] = AgentStream(session, what, noun)
            try:
                await self._answered(stream, consequence)
                yield stream
            finally:
                del self._streams[request.stream_id]
                stream.close()

    async def serve(self, session: Session, first: session_pb2.StreamUp, agent: AgentCall) -> None:
        """Connects an agent's call with the client that waits for it. Raises NoStream without a client.

        `first`: the message that the caller has read already.
        """
        stream = self._streams.get(first.stream_id)
        if stream is None or stream.session.node != session.node or stream.answered.is_set():
            raise NoStream("no client waits for this stream")
        stream.agent = agent
        stream.refused = bool(first.error)
        if stream.take(first):
            await stream.send(session_pb2.StreamDown(credit_bytes=contract.STREAM_WINDOW_BYTES))
            stream.answered.set()
            async with asyncio.TaskGroup() as group:
                receiving = _receive(stream, agent, says_complete=session.version >= contract.COMPLETE_SINCE)
                reader = group.create_task(receiving, name=f"bytes of stream {first.stream_id}")
                group.create_task(stream.grant(), name=f"credit of stream {first.stream_id}")
                group.create_task(stream.feed(), name=f"input of stream {first.stream_id}")
                # The first side that ends, agent or client, ends the other side too.
                await stream.closed.wait()
                reader.cancel()

    def _session(self, node: str, feature: str, consequence: str) -> Session:
        session = self._sessions.current(node)
        if session is None or session.removed:
            raise NodeUnreachable(f"node {node} is not connected{consequence}")
        if feature and session.version < contract.PROCESSES_SINCE:
            raise BadRequest(f"the agent of node {node} is too old for {feature}; upgrade it")
        return session

    async def _answered(self, stream: AgentStream, consequence: str) -> None:
        """Waits until the agent has answered. Raises its refusal, NodeUnreachable."""
        why = await why_unanswered(stream.session, stream.answered, timeout_s=self._open_timeout_s)
        if stream.refused and stream.error is not None:
            raise stream.error
        if why:
            raise NodeUnreachable(f"node {stream.session.node} {why}{consequence}")


async def _receive(stream: AgentStream, agent: AgentCall, *, says_complete: bool) -> None:
    """Takes the agent's messages. A call that ends before its last message was cut off.

    `says_complete`: the last message says whether something is missing.
    """
    try:
        while (message := await agent.read()) is not None:
            if not stream.take(message):
                return
        if not says_complete:
            # gRPC shows a call that was cut off as one that ended, and cancels this task soon after.
            await asyncio.sleep(CUT_OFF_S)
            stream.end(None)
    finally:
        lost = f"the connection to node {stream.session.node} was lost; the {stream.noun} of {stream.what} ends here"
        stream.end(NodeUnreachable(lost))
