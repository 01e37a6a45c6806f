"""The server's side of a SPDY connection, without I/O: which streams are open, and what each frame means for them.

The rules are those of draft 3 where Kubernetes' clients and servers (the Go library moby/spdystream) keep them. This
library has no flow control, so there is none here: no client would ever send the WINDOW_UPDATE for which we would wait
after 64 KiB. A side that does not read stops the other by TCP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from master.api.remote.spdy.errors import ProtocolError, StreamClosed
from master.api.remote.spdy.events import Ended, Event, GoingAway, Opened, Received, WasReset
from master.api.remote.spdy.frames import (
    FIN,
    STREAM_MASK,
    UNIDIRECTIONAL,
    Control,
    DataPiece,
    FrameReader,
    Kind,
    control_frame,
    data_frames,
)
from master.api.remote.spdy.headers import HeaderReader, HeaderWriter

MAX_STREAMS: Final = 1000
"""Open at the same time. Each connection to a forwarded port has two."""

_STREAM: Final = struct.Struct(">I")
_SYN_STREAM_FIELDS: Final = struct.Struct(">IIBB")
_PAIR: Final = struct.Struct(">II")


class ResetStatus(IntEnum):
    """Why a stream is reset (draft 3, section 2.6.3)."""

    PROTOCOL_ERROR = 1
    REFUSED_STREAM = 3
    CANCEL = 5


class GoAwayStatus(IntEnum):
    """Why a connection ends (draft 3, section 2.6.6)."""

    OK = 0
    PROTOCOL_ERROR = 1


@dataclass(slots=True)
class _Stream:
    """An open stream: which sides may still send."""

    client_sends: bool
    we_send: bool


class Connection:
    """The state of one connection. What has to be sent is collected until `take`."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._reader = HeaderReader()
        self._writer = HeaderWriter()
        self._streams: dict[int, _Stream] = {}
        self._newest = 0
        self._going_away = False
        self._outgoing = bytearray()

    def receive(self, data: bytes) -> Iterator[Event]:
        """What these bytes of the client mean. Raises ProtocolError, after which nothing more can be read.

        Pings are answered here, and so are streams that cannot be opened: the caller has to send what `take` returns.
        """
        for frame in self._frames.read(data):
            if isinstance(frame, DataPiece):
                yield from self._data(frame)
            else:
                yield from self._control(frame)

    def take(self) -> bytes:
        """The bytes to send since the last call."""
        outgoing = bytes(self._outgoing)
        self._outgoing.clear()
        return outgoing

    @property
    def waiting(self) -> int:
        """How many bytes `take` would return."""
        return len(self._outgoing)

    def is_open(self, stream_id: int) -> bool:
        """Whether one side at least may still send on the stream."""
        return stream_id in self._streams

    def accept(self, stream_id: int) -> None:
        """Answer a new stream. Raises StreamClosed if the client has reset it meanwhile."""
        if stream_id not in self._streams:
            raise StreamClosed(f"stream {stream_id} is closed")
        block = self._writer.write({})
        self._outgoing += control_frame(Kind.SYN_REPLY, _STREAM.pack(stream_id) + block)

    def send(self, stream_id: int, data: bytes) -> None:
        """Send on a stream. Raises StreamClosed."""
        self._sending(stream_id)
        if data:
            self._outgoing += data_frames(stream_id, data)

    def finish(self, stream_id: int) -> None:
        """Send no more on this stream. Raises StreamClosed."""
        stream = self._sending(stream_id)
        self._outgoing += data_frames(stream_id, b"", last=True)
        stream.we_send = False
        self._forget_closed(stream_id, stream)

    def reset(self, stream_id: int, status: ResetStatus = ResetStatus.CANCEL) -> None:
        """Give a stream up, in both directions. Does nothing if it is closed."""
        if self._streams.pop(stream_id, None) is not None:
            self._reset(stream_id, status)

    def go_away(self, status: GoAwayStatus = GoAwayStatus.OK) -> None:
        """Accept no more streams. The first call counts."""
        if not self._going_away:
            self._going_away = True
            self._outgoing += control_frame(Kind.GOAWAY, _PAIR.pack(self._newest, status))

    def _sending(self, stream_id: int) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None or not stream.we_send:
            raise StreamClosed(f"stream {stream_id} is closed")
        return stream

    def _reset(self, stream_id: int, status: ResetStatus) -> None:
        self._outgoing += control_frame(Kind.RST_STREAM, _PAIR.pack(stream_id, status))

    def _forget_closed(self, stream_id: int, stream: _Stream) -> None:
        if not stream.client_sends and not stream.we_send:
            del self._streams[stream_id]

    def _data(self, piece: DataPiece) -> Iterator[Event]:
        stream = self._streams.get(piece.stream_id)
        if stream is None or not stream.client_sends:
            return  # sent before the client knew that the stream is closed
        if piece.data:
            yield Received(piece.stream_id, piece.data)
        if piece.last:
            yield from self._ended(piece.stream_id)

    def _ended(self, stream_id: int) -> Iterator[Event]:
        stream = self._streams.get(stream_id)
        if stream is not None and stream.client_sends:
            stream.client_sends = False
            self._forget_closed(stream_id, stream)
            yield Ended(stream_id)

    def _control(self, frame: Control) -> Iterator[Event]:
        """Of the other kinds, none changes what we do; draft 3 says that unknown ones are skipped."""
        match frame.kind:
            case Kind.SYN_STREAM:
                yield from self._syn_stream(frame)
            case Kind.SYN_REPLY | Kind.HEADERS:
                yield from self._headers(frame)
            case Kind.RST_STREAM:
                stream_id, _ = _fields(frame, _PAIR)
                if self._streams.pop(stream_id, None) is not None:
                    yield WasReset(stream_id)
            case Kind.PING:
                self._ping(frame)
            case Kind.GOAWAY:
                _fields(frame, _PAIR)
                yield GoingAway()

    def _syn_stream(self, frame: Control) -> Iterator[Event]:
        stream_id, _, _, _ = _fields(frame, _SYN_STREAM_FIELDS, exact=False)
        stream_id &= STREAM_MASK
        headers = self._reader.read(frame.payload[_SYN_STREAM_FIELDS.size :])
        if not stream_id % 2 or stream_id <= self._newest:
            # As moby/spdystream, which answers a repeated number with a reset, too.
            self._reset(stream_id, ResetStatus.PROTOCOL_ERROR)
            return
        self._newest = stream_id
        if self._going_away or len(self._streams) >= MAX_STREAMS:
            self._reset(stream_id, ResetStatus.REFUSED_STREAM)
            return
        self._streams[stream_id] = _Stream(client_sends=True, we_send=not frame.flags & UNIDIRECTIONAL)
        yield Opened(stream_id, headers)
        if frame.flags & FIN:
            yield from self._ended(stream_id)

    def _headers(self, frame: Control) -> Iterator[Event]:
        """More headers mean nothing to Kubernetes, but are a part of the compressed stream, and may end the stream."""
        (stream_id,) = _fields(frame, _STREAM, exact=False)
        self._reader.read(frame.payload[_STREAM.size :])
        if frame.flags & FIN:
            yield from self._ended(stream_id & STREAM_MASK)

    def _ping(self, frame: Control) -> None:
        """A client's pings are odd. An even one would be the answer to a ping of ours, and we send none."""
        (number,) = _fields(frame, _STREAM)
        if number % 2:
            self._outgoing += control_frame(Kind.PING, frame.payload)


def _fields(frame: Control, form: struct.Struct, *, exact: bool = True) -> tuple[int, ...]:
    """The fields at the start of a frame; `exact`: there is nothing behind them. Raises ProtocolError."""
    if len(frame.payload) < form.size or (exact and len(frame.payload) > form.size):
        raise ProtocolError(f"a {Kind(frame.kind).name} frame of {len(frame.payload)} bytes")
    return form.unpack_from(frame.payload)
