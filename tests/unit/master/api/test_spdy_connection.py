"""SPDY without I/O: which events the frames of a client are, what is answered, and that bad bytes are a typed error."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from master.api.remote.spdy import connection, frames, headers
from master.api.remote.spdy.connection import Connection, ResetStatus
from master.api.remote.spdy.dictionary import DICTIONARY
from master.api.remote.spdy.errors import ProtocolError, StreamClosed
from master.api.remote.spdy.events import Ended, Event, GoingAway, Opened, Received, WasReset
from tests import spdyclient
from tests.spdyclient import FIN, Frame, SpdyClient, control, data

STDIN = {"streamtype": "stdin"}
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 9

FROM_GO = [
    ("80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff", "error"),
    ("800300010000001700000003000000000000c22e555c92929907000000ffff", "stdin"),
]
"""SYN_STREAM frames that github.com/moby/spdystream 0.5.1 wrote, one after the other."""


def events(connection: Connection, received: bytes) -> list[Event]:
    return list(connection.receive(received))


def opened(client: SpdyClient, *stream_ids: int) -> Connection:
    """A connection with these streams, accepted."""
    connection = Connection()
    for stream_id in stream_ids:
        assert events(connection, client.open(stream_id, STDIN)) == [Opened(stream_id, STDIN)]
        connection.accept(stream_id)
    connection.take()
    return connection


def test_the_dictionary_is_the_protocols() -> None:
    # The checksum is in each compressed stream, so also in those of other implementations.
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_frames_of_the_library_that_kubernetes_uses() -> None:
    connection = Connection()
    received = b"".join(bytes.fromhex(frame) for frame, _ in FROM_GO)
    expected = [Opened(2 * number + 1, {"streamtype": kind}) for number, (_, kind) in enumerate(FROM_GO)]
    assert events(connection, received) == expected
    assert events(connection, bytes.fromhex("00000003000000036c730a" + "0000000301000000")) == [
        Received(3, b"ls\n"),
        Ended(3),
    ]


def test_a_stream_from_its_start_to_its_end() -> None:
    client, connection = SpdyClient(), Connection()
    assert events(connection, client.open(1, STDIN)) == [Opened(1, STDIN)]
    connection.accept(1)
    connection.send(1, b"out")
    assert events(connection, data(1, b"in") + data(1, b"", flags=FIN)) == [Received(1, b"in"), Ended(1)]
    connection.send(1, b"")
    connection.finish(1)
    with pytest.raises(StreamClosed):
        connection.send(1, b"")
    assert client.frames(connection.take()) == [
        Frame(SYN_REPLY, 1, bytes(4)),
        Frame(0, 1, b"out"),
        Frame(0, 1, b"", FIN),
    ]
    with pytest.raises(StreamClosed):
        connection.send(1, b"x")


def test_a_stream_that_begins_with_its_end() -> None:
    client, connection = SpdyClient(), Connection()
    assert events(connection, client.open(1, STDIN, flags=FIN)) == [Opened(1, STDIN), Ended(1)]
    connection.send(1, b"x")
    assert client.frames(connection.take()) == [Frame(0, 1, b"x")]


def test_on_a_stream_of_one_direction_only_the_client_sends() -> None:
    client, connection = SpdyClient(), Connection()
    events(connection, client.open(1, STDIN, flags=frames.UNIDIRECTIONAL))
    with pytest.raises(StreamClosed):
        connection.send(1, b"x")


def test_both_sides_can_reset() -> None:
    client = SpdyClient()
    connection = opened(client, 1, 3)
    assert events(connection, spdyclient.reset(1)) == [WasReset(1)]
    connection.reset(3)
    connection.reset(3)
    assert client.frames(connection.take()) == [Frame(RST_STREAM, 3, struct.pack(">I", ResetStatus.CANCEL))]
    # What the client sent before it knew.
    assert events(connection, data(3, b"late") + data(1, b"", flags=FIN) + spdyclient.reset(3)) == []
    with pytest.raises(StreamClosed):
        connection.accept(1)


def test_pings_are_answered_and_their_answers_not() -> None:
    connection = Connection()
    assert events(connection, spdyclient.ping(7) + spdyclient.ping(8)) == []
    assert connection.take() == spdyclient.ping(7)


def test_the_going_away_of_a_client_leaves_its_streams_open() -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    assert events(connection, spdyclient.GOAWAY + data(1, b"x")) == [GoingAway(), Received(1, b"x")]


def test_after_our_going_away_new_streams_are_refused() -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    connection.go_away()
    connection.go_away()
    assert events(connection, client.open(3, STDIN)) == []
    assert client.frames(connection.take()) == [
        Frame(GOAWAY, 1, bytes(4)),
        Frame(RST_STREAM, 3, struct.pack(">I", ResetStatus.REFUSED_STREAM)),
    ]


@pytest.mark.parametrize("stream_id", [0, 2, 1, 3], ids=["zero", "a server's", "older", "the same"])
def test_a_number_that_cannot_be_is_reset_and_its_headers_are_read(stream_id: int) -> None:
    client = SpdyClient()
    connection = opened(client, 3)
    assert events(connection, client.open(stream_id, STDIN)) == []
    status = struct.pack(">I", ResetStatus.PROTOCOL_ERROR)
    assert client.frames(connection.take()) == [Frame(RST_STREAM, stream_id, status)]
    assert events(connection, client.open(5, STDIN)) == [Opened(5, STDIN)]


def test_too_many_streams_are_refused() -> None:
    client = SpdyClient()
    connection_ = opened(client, *range(1, 2 * connection.MAX_STREAMS, 2))
    assert events(connection_, client.open(9001, STDIN)) == []
    (refused,) = client.frames(connection_.take())
    assert refused == Frame(RST_STREAM, 9001, struct.pack(">I", ResetStatus.REFUSED_STREAM))
    connection_.reset(1)
    assert events(connection_, client.open(9003, STDIN)) == [Opened(9003, STDIN)]


def test_more_headers_can_end_a_stream_and_are_a_part_of_the_compressed_stream() -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    assert events(connection, client.headers(1, {"a": "b"}, flags=FIN)) == [Ended(1)]
    assert events(connection, client.open(3, STDIN)) == [Opened(3, STDIN)]


def test_of_several_values_the_first_counts() -> None:
    client, connection = SpdyClient(), Connection()
    assert events(connection, client.open(1, {"port": "80\x0081"})) == [Opened(1, {"port": "80"})]


def test_settings_windows_and_unknown_kinds_change_nothing() -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    received = control(SETTINGS, struct.pack(">III", 1, 7, 10)) + control(WINDOW_UPDATE, struct.pack(">II", 1, 5))
    assert events(connection, received + control(77, b"whatever")) == []
    connection.send(1, bytes(1 << 20))
    assert sum(len(frame.payload) for frame in client.frames(connection.take())) == 1 << 20


def test_large_data_come_in_pieces_as_they_arrive() -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    frame = data(1, bytes(1 << 20), flags=FIN)
    assert events(connection, frame[:1000]) == [Received(1, bytes(992))]
    assert events(connection, frame[1000:]) == [Received(1, bytes((1 << 20) - 992)), Ended(1)]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(control(1, b"short"), id="stream"),
        pytest.param(control(2, b"xx"), id="answer"),
        pytest.param(control(3, b"1234"), id="reset"),
        pytest.param(control(6, b"12345"), id="ping"),
        pytest.param(control(7, b""), id="going away"),
        pytest.param(control(6, b"1234", version=2), id="version"),
        pytest.param(struct.pack(">HHI", 0x8003, 4, frames.MAX_CONTROL_BYTES + 1), id="size"),
        pytest.param(control(1, bytes(10) + b"no zlib"), id="compression"),
        pytest.param(control(1, bytes(10)), id="no headers"),
    ],
)
def test_frames_that_cannot_be_read(received: bytes) -> None:
    with pytest.raises(ProtocolError):
        events(Connection(), received)


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(b"\0\0", id="no number"),
        pytest.param(struct.pack(">I", 1 << 31), id="many"),
        pytest.param(struct.pack(">II", 1, 10) + b"short", id="a name that ends too early"),
        pytest.param(struct.pack(">II", 1, 1) + b"a" + struct.pack(">I", 2) + b"b", id="a value that ends too early"),
        pytest.param(struct.pack(">I", 0) + b"x", id="more than the headers"),
        pytest.param(struct.pack(">II", 1, 1) + b"A" + bytes(4), id="upper case"),
        pytest.param(struct.pack(">II", 1, 0) + bytes(4), id="no name"),
        pytest.param(struct.pack(">II", 2, 1) + b"a" + bytes(4) + struct.pack(">I", 1) + b"a" + bytes(4), id="twice"),
        pytest.param(bytes(headers.MAX_BLOCK_BYTES + 1), id="much out of little"),
    ],
)
def test_headers_that_cannot_be_read(plain: bytes) -> None:
    with pytest.raises(ProtocolError):
        events(Connection(), control(1, struct.pack(">IIBB", 1, 0, 0, 0) + SpdyClient().compressed(plain)))


PIECES = st.lists(st.binary(max_size=40), max_size=6)


@given(PIECES, st.data())
def test_how_the_bytes_are_cut_does_not_matter(pieces: list[bytes], draw: st.DataObject) -> None:
    client = SpdyClient()
    received = client.open(1, STDIN) + client.open(3, {"port": "80", "requestid": "0"})
    received += b"".join(data(1 + 2 * (number % 2), piece) for number, piece in enumerate(pieces))
    received += spdyclient.ping(1) + data(1, b"", flags=FIN) + spdyclient.reset(3)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(received)), max_size=8)))
    connection, seen = Connection(), []
    for start, end in zip([0, *cuts], [*cuts, len(received)], strict=True):
        seen += events(connection, received[start:end])
    assert [event for event in seen if not isinstance(event, Received)] == [
        Opened(1, STDIN),
        Opened(3, {"port": "80", "requestid": "0"}),
        Ended(1),
        WasReset(3),
    ]
    for stream_id in (1, 3):
        arrived = b"".join(each.data for each in seen if isinstance(each, Received) and each.stream_id == stream_id)
        assert arrived == b"".join(pieces[stream_id // 2 :: 2])
    assert connection.take() == spdyclient.ping(1)


FRAMES = st.builds(
    lambda kind, flags, payload: control(kind, payload, flags=flags),
    st.integers(0, 11),
    st.integers(0, 255),
    st.one_of(st.binary(max_size=30), st.binary(max_size=20).map(lambda rest: bytes(9) + b"\x03" + rest)),
)


@given(st.lists(st.one_of(FRAMES, st.binary(max_size=20)), max_size=6))
def test_any_bytes_are_events_or_a_typed_error(received: list[bytes]) -> None:
    client = SpdyClient()
    connection = opened(client, 1)
    try:
        for event in connection.receive(b"".join(received)):
            assert isinstance(event, Event)
    except ProtocolError as error:
        assert str(error)
