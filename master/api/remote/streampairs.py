"""The streams of a port-forward by SPDY: each connection has two, one for its bytes and one for an error.

Owns the matching of the streams by the headers of Kubernetes (`port`, `streamType`, `requestID`), and the time that the
second one may take (k8s.io/cri-streaming, pkg/streaming/portforward/httpstream.go).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from master.api.remote.multiplexer import Multiplexer, Stream
from master.api.remote.spdy.connection import MAX_STREAMS

PAIR_S: Final = 30.0
"""How long a client may take from the first stream of a connection to the second."""
MAX_HALVES: Final = MAX_STREAMS
"""Connections with one stream. More than the open streams are only those whose stream the client has reset."""
_DATA: Final = "data"
_ERROR: Final = "error"


@dataclass(frozen=True, slots=True)
class Pair:
    """The streams of one connection to a port."""

    port: int
    data: Stream
    error: Stream

    def end(self) -> None:
        """Send no more, and read no more."""
        for stream in (self.data, self.error):
            stream.discard()
            stream.finish()


@dataclass(slots=True)
class _Half:
    """A connection with one stream, and the timer after which it is given up."""

    stream: Stream
    timer: asyncio.TimerHandle


class Pairs:
    """The connections that a client opens."""

    def __init__(self, multiplexer: Multiplexer, *, pair_s: float = PAIR_S) -> None:
        self._multiplexer = multiplexer
        self._pair_s = pair_s
        self._halves: dict[str, _Half] = {}
        self._giving_up: set[asyncio.Task[None]] = set()

    async def next(self) -> Pair | None:
        """The next complete pair; None: the client opens no more. Streams with wrong headers are reset."""
        while (stream := await self._multiplexer.accept()) is not None:
            if not _port(stream) or _type(stream) not in (_DATA, _ERROR):
                stream.reset()
                continue
            stream.accept()
            if _type(stream) == _ERROR:
                stream.discard()
            if (pair := self._matched(stream)) is not None:
                return pair
        return None

    async def aclose(self) -> None:
        """End the timers."""
        for half in self._halves.values():
            half.timer.cancel()
        for task in self._giving_up:
            task.cancel()

    def _matched(self, stream: Stream) -> Pair | None:
        request = _request_id(stream)
        half = self._halves.pop(request, None)
        if half is None:
            if len(self._halves) >= MAX_HALVES:
                stream.reset()
                return None
            timer = asyncio.get_running_loop().call_later(self._pair_s, self._expired, request)
            self._halves[request] = _Half(stream, timer)
            return None
        half.timer.cancel()
        if _type(half.stream) == _type(stream):
            why = f"error processing stream for request {request}: {_type(stream)} stream already assigned"
            self._give_up(half.stream, why)
            stream.reset()
            return None
        data, error = (stream, half.stream) if _type(stream) == _DATA else (half.stream, stream)
        return Pair(_port(data), data, error)

    def _expired(self, request: str) -> None:
        self._give_up(self._halves.pop(request).stream, f"(request={request}) timed out waiting for streams")

    def _give_up(self, stream: Stream, why: str) -> None:
        task = asyncio.create_task(_refuse(stream, why), name="half of a port-forward")
        self._giving_up.add(task)
        task.add_done_callback(self._giving_up.discard)


async def _refuse(stream: Stream, why: str) -> None:
    with suppress(ConnectionError):
        if _type(stream) == _ERROR:
            await stream.write(why.encode())
            stream.finish()
        else:
            stream.reset()


def _type(stream: Stream) -> str:
    return stream.headers.get("streamtype", "")


def _port(stream: Stream) -> int:
    """The port; 0 if the header has none."""
    text = stream.headers.get("port", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < 1 << 16 else 0


def _request_id(stream: Stream) -> str:
    """The id that both streams have. Old clients name none: there the stream of the bytes follows that of the error."""
    if request := stream.headers.get("requestid", ""):
        return request
    return str(stream.stream_id if _type(stream) == _ERROR else stream.stream_id - 2)
