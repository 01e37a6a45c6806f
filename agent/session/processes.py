"""Carries the streams of one process over a call to the master: both ways, and bounded by credit.

Owns the credit of both directions and the end of a stream. Processes are started by the pods' side.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from agent.errors import AgentError
from agent.runtime.process import Channel, Process
from agent.session.channel import Call
from agent.session.credit import Credit
from agent.session.errors import ReaderGone
from proto import checks, contract
from proto.gen import session_pb2

log = logging.getLogger(__name__)


async def carry(call: Call, opening: AbstractAsyncContextManager[Process], *, name: str) -> None:
    """Carry a stream to its end. The caller has sent the first message. Raises ReaderGone when the master ends it."""
    inbox = _Inbox()
    receiving = asyncio.create_task(inbox.receive(call), name=f"{name}: from the master")
    try:
        await call.write(await _last(call, opening, inbox, receiving, name))
        await call.done_writing()
        # The master ends the call when its client has got everything.
        await receiving
    finally:
        # This also cancels the call: gRPC has no other way to give up a read.
        receiving.cancel()


def failure(error: Exception, name: str) -> session_pb2.StreamUp:
    """The last message of a stream that failed. What the agent did not expect is logged, too."""
    if isinstance(error, AgentError):
        return session_pb2.StreamUp(error=str(error) or type(error).__name__)
    log.error("%s: stream failed", name, exc_info=error)
    return session_pb2.StreamUp(error=f"the agent failed: {error!r}")


async def _last(
    call: Call,
    opening: AbstractAsyncContextManager[Process],
    inbox: _Inbox,
    receiving: asyncio.Task[None],
    name: str,
) -> session_pb2.StreamUp:
    """Carry what the process reads and writes. Returns the message that ends the stream."""
    try:
        async with opening as process:
            exit_code = await _exchange(call, process, inbox, receiving)
    except ReaderGone:
        raise
    except Exception as error:  # what was sent so far must not look like the whole
        if receiving.done() and not isinstance(error, AgentError):
            raise ReaderGone("the master has ended the stream") from error
        return failure(error, name)
    last = session_pb2.StreamUp(complete=True)
    if exit_code is not None:
        last.exit_code = exit_code
    return last


async def _exchange(call: Call, process: Process, inbox: _Inbox, receiving: asyncio.Task[None]) -> int | None:
    """Until the output has ended: that of a process ends with it, whether it has read all its input or not."""
    writing = asyncio.Lock()  # gRPC takes one message at a time
    sending = asyncio.create_task(_send(call, process, inbox.credit, writing))
    feeding = asyncio.create_task(_feed(call, process, inbox, writing))
    try:
        waiting = {receiving, sending, feeding}
        while not sending.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if receiving in done:
                receiving.result()
                raise ReaderGone("the master has ended the stream")
            if feeding in done:
                feeding.result()
        sending.result()
        async with writing:  # gRPC gives the whole call up when a write is cancelled
            feeding.cancel()
        return await process.exit_code()
    finally:
        for task in (sending, feeding):
            task.cancel()
        await asyncio.wait({sending, feeding})


async def _send(call: Call, process: Process, credit: Credit, writing: asyncio.Lock) -> None:
    while (piece := await process.read()) is not None:
        is_error = piece[0] is Channel.STDERR
        async for part in credit.pieces(piece[1]):
            async with writing:
                await call.write(session_pb2.StreamUp(stderr=part) if is_error else session_pb2.StreamUp(data=part))


async def _feed(call: Call, process: Process, inbox: _Inbox, writing: asyncio.Lock) -> None:
    """Pass input to the process. Credit is granted for what it has taken, so that little waits here."""
    async with writing:
        await call.write(session_pb2.StreamUp(credit_bytes=contract.STREAM_WINDOW_BYTES))
    owed = 0
    while True:
        message = await inbox.next()
        if message.HasField("size"):
            await process.resize(width=message.size.width, height=message.size.height)
        if message.data:
            await process.write(message.data)
            owed += len(message.data)
            inbox.taken(len(message.data))
        if message.end:
            await process.close_input()
        if owed >= contract.STREAM_WINDOW_BYTES // 2:
            async with writing:
                await call.write(session_pb2.StreamUp(credit_bytes=owed))
            owed = 0


class _Inbox:
    """What the master has sent and the process has not taken. Bounded by the credit, and by a number of messages."""

    MAX_MESSAGES = 4096

    def __init__(self) -> None:
        self.credit = Credit()
        self._messages: asyncio.Queue[session_pb2.StreamDown] = asyncio.Queue()
        self._bytes = 0

    async def receive(self, call: Call) -> None:
        """Until the master ends the call. Raises AgentError if it sends more than it may."""
        while (message := await call.read()) is not None:
            self.credit.add(message.credit_bytes)
            self._bytes += len(message.data)
            if self._bytes > contract.STREAM_WINDOW_BYTES or self._messages.qsize() >= self.MAX_MESSAGES:
                raise AgentError("the master sent more input than its credit allows")
            if wrong := checks.size(message.size):
                raise AgentError(wrong)
            if message.data or message.end or message.HasField("size"):
                self._messages.put_nowait(message)

    async def next(self) -> session_pb2.StreamDown:
        return await self._messages.get()

    def taken(self, size: int) -> None:
        self._bytes -= size
