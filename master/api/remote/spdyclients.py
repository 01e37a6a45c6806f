"""The channels of a process over SPDY/3.1: one stream for each, which the client opens and names in its headers.

Owns the streams of one client and the tasks that join its input. What input and ends mean is in channels.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Final

from aiohttp import web

from master.api.remote.channels import Channel, Event, Input, InputEnd, resize_of, text_of
from master.api.remote.multiplexer import Multiplexer, Stream
from master.api.remote.upgrades import UpgradedConnection, spdy_headers

V4: Final = "v4.channel.k8s.io"
V3: Final = "v3.channel.k8s.io"
V2: Final = "v2.channel.k8s.io"
V1: Final = "channel.k8s.io"
PROTOCOLS: Final = (V4, V3, V2, V1)
"""What they lack: v3 the Status at the end, which is a text there; v2 also the sizes. v1 is answered as v2 is."""

STREAMS_S: Final = 30.0
"""How long the client may take to open its streams, as in Kubernetes."""
CLOSE_S: Final = 120.0
"""How long the client may take to read the rest and to close its side. It closes as soon as it has read GOAWAY."""
_MAX_SIZE_BYTES: Final = 1024
"""A size is a small object of JSON."""


class StreamType(StrEnum):
    """The header `streamType` of a stream."""

    ERROR = "error"
    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    RESIZE = "resize"


_OUTPUT: Final = {Channel.STDOUT: StreamType.STDOUT, Channel.STDERR: StreamType.STDERR}


class SpdyClient:
    """A client that is connected by SPDY. `wanted`: the streams that it has to open besides `error`."""

    def __init__(self, protocol: str, wanted: frozenset[StreamType]) -> None:
        self._protocol = protocol
        self._wanted = {StreamType.ERROR, *wanted}
        if protocol not in (V4, V3):
            self._wanted.discard(StreamType.RESIZE)
        self._upgraded = UpgradedConnection()
        self._multiplexer = Multiplexer(self._upgraded)
        self._streams: dict[StreamType, Stream] = {}
        self._complete = asyncio.Event()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=1)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def response(self) -> web.StreamResponse:
        """The response that the connection began with."""
        return self._upgraded.response

    async def accept(self, request: web.BaseRequest) -> None:
        """Upgrade the connection, and wait for the client's streams. Raises ConnectionError."""
        await self._upgraded.accept(request, spdy_headers(self._protocol))
        self._multiplexer.start()
        self._start(self._take_streams())
        with suppress(TimeoutError):
            async with asyncio.timeout(STREAMS_S):
                await self._complete.wait()
        if self._wanted - set(self._streams):
            raise ConnectionAbortedError("the client has not opened all streams")
        for kind, passing in ((StreamType.STDIN, self._pass_input), (StreamType.RESIZE, self._pass_sizes)):
            if kind in self._streams:
                self._start(passing(self._streams[kind]))
        self._start(self._pass_end())

    async def read(self) -> Event | None:
        """The next event; None: the client has closed the connection, or lost it."""
        return await self._events.get()

    async def write(self, channel: int, data: bytes) -> None:
        """Send to the client. Raises ConnectionError when it is gone."""
        stream = self._streams.get(_OUTPUT[Channel(channel)])
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: bytes) -> None:
        """Send the Status with which the stream ends, and wait until the client has closed its side.

        If this side closed first, TCP would answer the next bytes of the client, such as a ping, with a reset, and a
        client that reads slowly would lose what it has not read yet.
        """
        for kind, stream in self._streams.items():
            stream.discard()
            if kind is not StreamType.ERROR:
                stream.finish()
        error = self._streams[StreamType.ERROR]
        if text := status if self._protocol == V4 else text_of(status):
            await error.write(text)
        error.finish()
        await self._multiplexer.go_away()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._multiplexer.gone.wait()

    async def aclose(self) -> None:
        """End the tasks."""
        for task in self._tasks:
            task.cancel()
        await self._multiplexer.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="a client by SPDY"))

    async def _take_streams(self) -> None:
        """Accept the streams of the client. A second one of the same type, or one without use, is reset."""
        while (stream := await self._multiplexer.accept()) is not None:
            name = stream.headers.get("streamtype", "")
            if name not in self._wanted - set(self._streams):
                stream.reset()
                continue
            kind = StreamType(name)
            self._streams[kind] = stream
            stream.accept()
            if kind not in (StreamType.STDIN, StreamType.RESIZE):
                stream.discard()
            if self._wanted == set(self._streams):
                self._complete.set()
        self._complete.set()

    async def _pass_input(self, stream: Stream) -> None:
        with suppress(ConnectionError):
            while (data := await stream.read()) is not None:
                await self._events.put(Input(data))
        await self._events.put(InputEnd())

    async def _pass_sizes(self, stream: Stream) -> None:
        """Objects of JSON, which may be cut anywhere."""
        waiting = b""
        with suppress(ConnectionError):
            while (data := await stream.read()) is not None:
                *sizes, waiting = (waiting + data).split(b"}")
                waiting = waiting[:_MAX_SIZE_BYTES]
                for size in sizes:
                    if (event := resize_of(size + b"}")) is not None:
                        await self._events.put(event)

    async def _pass_end(self) -> None:
        await self._multiplexer.gone.wait()
        await self._events.put(None)
