"""Streams: opens a call to the master for each request, and sends as many bytes of a log as the master grants.

Owns the calls and the limit of their number. The logs are read by the pods' side. What goes both ways, processes and
connections, is in processes.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, Protocol

import grpc.aio

from agent.connections import Connection
from agent.errors import AgentError
from agent.model import ConnectionRequest, LogRequest, ProcessRequest
from agent.queries import PLAIN, Answer, Query
from agent.runtime.process import Process
from agent.session.channel import Call
from agent.session.credit import Credit
from agent.session.errors import ReaderGone
from agent.session.processes import carry, failure
from agent.wire.desired import connection_request_from_proto, log_request_from_proto, process_request_from_proto
from agent.wire.sanity import check_stream
from proto import checks, contract
from proto.gen import session_pb2

MAX_ANSWERS: Final = 160
"""Requests beyond contract.MAX_STREAMS of a sort get an error, requests beyond this no answer at all."""

MAX_SHOWN: Final = 100
"""Characters of a path in a message."""
REFUSAL_S: Final = 10.0
"""How long a refusal waits for the master to end its call."""


class Sources(Protocol):
    """What streams are made of: a part of the session's NodeSide."""

    def logs(self, request: LogRequest) -> AsyncIterator[bytes]: ...

    def process(self, request: ProcessRequest) -> AbstractAsyncContextManager[Process]:
        """Raises AgentError here if the container does not run, and on entering if the process cannot be started."""
        ...

    def connection(self, request: ConnectionRequest) -> AbstractAsyncContextManager[Connection]:
        """Raises AgentError here if the pod has no network, and on entering if nothing accepts the connection."""
        ...

    async def query(self, query: Query) -> Answer:
        """The answer to a query about this node. Raises AgentError."""
        ...


log = logging.getLogger(__name__)


class StreamSender:
    """Answers stream requests of one session."""

    def __init__(self, session_id: str, open_call: Callable[[], Call], sources: Sources) -> None:
        self._session_id = session_id
        self._open_call = open_call
        self._sources = sources
        self._running: Counter[str] = Counter()
        """Calls of each sort."""

    async def answer(self, request: session_pb2.StreamRequest) -> None:
        """Send one stream to its end. An error ends this stream only, and so does a request that is refused."""
        if not checks.is_stream_id(request.stream_id):
            log.error("the master asks for a stream with an invalid id: not answered")
            return
        if self._running.total() >= MAX_ANSWERS:
            return  # a master with so many open requests does not read the answers
        what = _name(request)
        call = self._open_call()
        sort = "logs" if request.HasField("logs") else "streams"
        self._running[sort] += 1
        try:
            first = session_pb2.StreamUp(session_id=self._session_id, stream_id=request.stream_id)
            if refusal := self._refusal(request, sort):
                first.error = refusal
                await _refuse(call, first)
                return
            await self._carry_out(call, first, request)
        except Exception as error:  # the stream's boundary: the session must go on
            if _reader_gone(error):
                log.debug("%s: stream ended: %s", what, error)
            else:
                log.error("%s: stream failed", what, exc_info=error)
        finally:
            self._running[sort] -= 1
            call.cancel()

    def _refusal(self, request: session_pb2.StreamRequest, sort: str) -> str:
        """Why the request is not carried out; empty if it is."""
        if self._running[sort] > contract.MAX_STREAMS:
            return f"more than {contract.MAX_STREAMS} {sort} are open on this node; try again"
        problem = check_stream(request)
        return f"this node's agent refuses the request: {problem}" if problem else ""

    async def _carry_out(self, call: Call, first: session_pb2.StreamUp, request: session_pb2.StreamRequest) -> None:
        match request.WhichOneof("what"):
            case "logs":
                await call.write(first)
                logs = partial(self._sources.logs, log_request_from_proto(request.logs))
                await self._send(call, request, logs)
            case "node_query":
                answer = await self._answer(Query(request.node_query.path, request.node_query.query))
                first.answer.status, first.answer.content_type = answer.status, answer.content_type
                await call.write(first)
                await self._send(call, request, partial(_whole, answer.body))
            case _:
                await self._carry(call, first, request)

    async def _answer(self, query: Query) -> Answer:
        """The answer to a query; that of a failure is a 500."""
        try:
            return await self._sources.query(query)
        except Exception as error:
            log.error("query for %s failed", query.path[:MAX_SHOWN], exc_info=not isinstance(error, AgentError))
            return Answer(f"{error or type(error).__name__}\n".encode(), PLAIN, 500)

    def _opening(self, request: session_pb2.StreamRequest) -> AbstractAsyncContextManager[Process]:
        """What has both directions. Raises AgentError."""
        if request.HasField("port_forward"):
            return self._sources.connection(connection_request_from_proto(request.port_forward))
        return self._sources.process(process_request_from_proto(request))

    async def _carry(self, call: Call, first: session_pb2.StreamUp, request: session_pb2.StreamRequest) -> None:
        """Carry a process or a connection. An error in the first message means that there is nothing to carry."""
        try:
            opening = self._opening(request)
        except AgentError as error:
            first.error = str(error)
            await _refuse(call, first)
            return
        await call.write(first)
        await carry(call, opening, name=_name(request))

    async def _send(
        self, call: Call, request: session_pb2.StreamRequest, source: Callable[[], AsyncIterator[bytes]]
    ) -> None:
        """Send all bytes of the source. Ends when the reader goes away, also while a log is silent."""
        credit = Credit()
        async with asyncio.TaskGroup() as group:
            granting = group.create_task(_grants(call, credit), name=f"credit of stream {request.stream_id}")
            sending = group.create_task(_copy(call, credit, source, _name(request)), name=f"stream {request.stream_id}")
            granting.add_done_callback(lambda _: sending.cancel())
            sending.add_done_callback(lambda _: granting.cancel())


async def _refuse(call: Call, message: session_pb2.StreamUp) -> None:
    """Send the only message of a stream, and wait until the master has it: a cancelled call could lose it."""
    await call.write(message)
    await call.done_writing()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REFUSAL_S):
            while await call.read() is not None:
                pass


def _name(request: session_pb2.StreamRequest) -> str:
    match request.WhichOneof("what"):
        case "port_forward":
            forward = request.port_forward
            return f"connection to {forward.namespace}/{forward.pod}, port {forward.port}"
        case "node_query":
            return f"query for {request.node_query.path[:MAX_SHOWN]}"
        case what:
            source = getattr(request, what or "logs")
            return f"{'log' if what == 'logs' else what} of {source.namespace}/{source.pod} [{source.container}]"


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _reader_gone(error: Exception) -> bool:
    """The reader or the connection went away. A TaskGroup wraps what its tasks raise."""
    if isinstance(error, ExceptionGroup):
        return all(_reader_gone(inner) for inner in error.exceptions)
    return isinstance(error, grpc.aio.AioRpcError | asyncio.InvalidStateError | ReaderGone)


async def _grants(call: Call, credit: Credit) -> None:
    while (message := await call.read()) is not None:
        credit.add(message.credit_bytes)


async def _copy(call: Call, credit: Credit, source: Callable[[], AsyncIterator[bytes]], name: str) -> None:
    last = session_pb2.StreamUp(complete=True)
    try:
        chunks: Any = source()
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                async for piece in credit.pieces(chunk):
                    await call.write(session_pb2.StreamUp(data=piece))
    except Exception as error:  # what was read so far must not look like the whole
        if _reader_gone(error) and not isinstance(error, AgentError):
            raise
        last = failure(error, name)
    await call.write(last)
    await call.done_writing()
    # The master ends the call when its reader has got everything.
    await asyncio.Event().wait()
