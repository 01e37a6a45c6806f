"""The streams of a SPDY connection, for tasks that read and write them. Owns the tasks that move the bytes.

What waits here for all streams together is limited. A client that does not read stops those who write to it; a stream
that nobody reads stops its client, with all streams of the connection, because SPDY as Kubernetes speaks it has no flow
control of single streams. Streams whose data are not wanted have to be discarded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from master.api.remote.spdy.connection import Connection, GoAwayStatus
from master.api.remote.spdy.errors import ProtocolError, StreamClosed
from master.api.remote.spdy.events import Ended, Event, GoingAway, Opened, Received, WasReset
from master.api.remote.spdy.headers import Headers
from master.api.remote.tasks import end_tasks

MAX_WAITING_BYTES: Final = 1 << 20
"""Received bytes that nobody has read."""
MAX_ANSWER_BYTES: Final = 64 << 10
"""Answers to pings, and to streams that cannot be opened, that the client has not read."""
GO_AWAY_S: Final = 1.0
"""How long the last frames may take."""

log = logging.getLogger(__name__)


class Transport(Protocol):
    """Bytes in both directions."""

    async def read(self) -> bytes:
        """What has arrived; empty: the connection is lost or closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Waits while the client does not read. Raises ConnectionError."""
        ...


class Stream:
    """A stream that a client has opened."""

    def __init__(self, owner: Multiplexer, stream_id: int, headers: Headers) -> None:
        self.stream_id = stream_id
        self.headers = headers
        self._owner = owner
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._lost = asyncio.Event()
        self._over = self._discards = False
        self._error: ConnectionError | None = None

    def accept(self) -> None:
        """Answer the client, which waits for that before it sends."""
        with self._owner.speaking() as connection:
            connection.accept(self.stream_id)

    async def read(self) -> bytes | None:
        """The next bytes; None: the client has ended its side. Raises ConnectionError: reset, or connection lost."""
        while not self._chunks and not self._over:
            self._changed.clear()
            await self._changed.wait()
        if self._chunks:
            data = self._chunks.popleft()
            self._owner.taken(len(data))
            return data
        if self._error is not None:
            raise self._error
        return None

    async def lost(self) -> None:
        """Wait until the stream is reset by either side, or the connection is lost."""
        await self._lost.wait()

    async def write(self, data: bytes) -> None:
        """Send; waits until it is on its way. A stream that is closed drops it. Raises ConnectionError: lost."""
        with self._owner.speaking() as connection:
            connection.send(self.stream_id, data)
        await self._owner.flush()

    def finish(self) -> None:
        """Send no more."""
        with self._owner.speaking() as connection:
            connection.finish(self.stream_id)
        self._owner.forget_closed(self.stream_id)

    def reset(self) -> None:
        """Give the stream up, in both directions."""
        with self._owner.speaking() as connection:
            connection.reset(self.stream_id)
        self._owner.forget_closed(self.stream_id)
        self.end(ConnectionAbortedError("the stream was reset here"))
        self.discard()

    def discard(self) -> None:
        """Drop all that the client sends or has sent."""
        self._discards = True
        self._owner.taken(sum(map(len, self._chunks)))
        self._chunks.clear()

    def put(self, data: bytes) -> int:
        """For the multiplexer: bytes of the client. Returns how many of them wait now."""
        if self._discards:
            return 0
        self._chunks.append(data)
        self._changed.set()
        return len(data)

    def end(self, error: ConnectionError | None = None) -> None:
        """For the multiplexer: nothing follows what waits. The first end counts."""
        if error is not None:
            self._lost.set()
        if not self._over:
            self._over, self._error = True, error
            self._changed.set()


class Multiplexer:
    """All streams of a connection. `start` it once, and `aclose` it."""

    def __init__(self, transport: Transport) -> None:
        self.gone = asyncio.Event()
        """The client has gone away, or the connection is lost."""
        self._transport = transport
        self._connection = Connection()
        self._streams: dict[int, Stream] = {}
        self._new: asyncio.Queue[Stream | None] = asyncio.Queue()  # bounded by the number of open streams
        self._waiting = 0
        self._room = asyncio.Event()
        self._to_send = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._lost = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read and to write."""
        self._tasks = [
            asyncio.create_task(self._read(), name="reader of a SPDY connection"),
            asyncio.create_task(self._write(), name="writer of a SPDY connection"),
        ]

    async def accept(self) -> Stream | None:
        """The next stream that the client opens, which has to be accepted or reset. None: none will follow."""
        return None if self.gone.is_set() and self._new.empty() else await self._new.get()

    async def aclose(self) -> None:
        """Tell the client that the connection ends, then end both tasks. The transport remains open."""
        if not self._tasks:
            return
        try:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(GO_AWAY_S):
                    await self.go_away()
        finally:
            self._lose()
            await end_tasks(self._tasks)

    @contextmanager
    def speaking(self) -> Iterator[Connection]:
        """The connection, to send by it. What cannot be sent because the stream is closed is dropped."""
        with suppress(StreamClosed):
            yield self._connection
        self._has_more()

    async def go_away(self, status: GoAwayStatus = GoAwayStatus.OK) -> None:
        """Tell the client that the connection ends, behind all that was sent. Raises ConnectionError."""
        with self.speaking() as connection:
            connection.go_away(status)
        await self.flush()

    async def flush(self) -> None:
        """Wait until the transport has taken all. Raises ConnectionError when it is lost."""
        while not self._lost and not self._sent.is_set():
            await self._sent.wait()
        if self._lost:
            raise ConnectionResetError("the client is gone")

    def taken(self, size: int) -> None:
        """For streams: these bytes wait no longer."""
        self._waiting -= size
        if self._waiting < MAX_WAITING_BYTES:
            self._room.set()

    def forget_closed(self, stream_id: int) -> None:
        """For streams: nothing more comes for a stream that both sides have ended."""
        if not self._connection.is_open(stream_id):
            self._streams.pop(stream_id, None)

    async def _read(self) -> None:
        try:
            while data := await self._transport.read():
                for event in self._connection.receive(data):
                    self._handle(event)
                if self._connection.waiting:
                    self._has_more()
                if self._connection.waiting > MAX_ANSWER_BYTES:
                    await self.flush()
                while self._waiting >= MAX_WAITING_BYTES:
                    self._room.clear()
                    await self._room.wait()
        except ProtocolError as error:
            log.debug("a client breaks the rules of SPDY: %s", error)
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(GO_AWAY_S):
                    await self.go_away(GoAwayStatus.PROTOCOL_ERROR)
        except ConnectionError:
            pass
        finally:
            self._lose()

    def _has_more(self) -> None:
        self._sent.clear()
        self._to_send.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._to_send.wait()
                self._to_send.clear()
                if data := self._connection.take():
                    await self._transport.write(data)
                if not self._to_send.is_set():
                    self._sent.set()
        except ConnectionError:
            self._lose()

    def _handle(self, event: Event) -> None:
        match event:
            case Opened():
                stream = self._streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
                self._new.put_nowait(stream)
            case Received():
                self._waiting += self._streams[event.stream_id].put(event.data)
            case Ended():
                self._streams[event.stream_id].end()
                self.forget_closed(event.stream_id)
            case WasReset():
                self._streams.pop(event.stream_id).end(ConnectionResetError("the client has reset the stream"))
            case GoingAway():
                self._leave()

    def _leave(self) -> None:
        if not self.gone.is_set():
            self.gone.set()
            self._new.put_nowait(None)

    def _lose(self) -> None:
        self._lost = True
        self._leave()
        for stream in self._streams.values():
            stream.end(ConnectionResetError("the client is gone"))
        self._sent.set()
        self._room.set()
