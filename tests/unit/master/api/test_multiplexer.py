"""The streams of a SPDY connection: what waits is limited, and each end of a connection reaches those who read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from master.api.remote.multiplexer import MAX_WAITING_BYTES, Multiplexer, Stream
from tests import spdyclient
from tests.fakes.clock import settle
from tests.fakes.spdypipe import Pipe, running
from tests.spdyclient import FIN, Frame, SpdyClient, data

BLOCK = bytes(64 << 10)


async def accepted(multiplexer: Multiplexer) -> Stream:
    stream = await multiplexer.accept()
    assert stream is not None
    stream.accept()
    return stream


async def test_bytes_in_both_directions_and_the_end_of_each() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1)
        pipe.put(data(1, b"in") + data(1, b"", flags=FIN))
        stream = await accepted(multiplexer)
        assert stream.headers == {"number": "1"}
        assert [await stream.read(), await stream.read(), await stream.read()] == [b"in", None, None]
        await stream.write(b"out")
        stream.finish()
        await stream.write(b"too late")
    assert pipe.sent == [
        Frame(2, 1, bytes(4)),
        Frame(0, 1, b"out"),
        Frame(0, 1, b"", FIN),
        Frame(7, 1, bytes(4)),
    ]


async def test_a_stream_that_nobody_reads_stops_the_client_until_it_is_read() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1)
        stream = await accepted(multiplexer)
        blocks = 4 * MAX_WAITING_BYTES // len(BLOCK)
        for _ in range(blocks):
            pipe.put(data(1, BLOCK))
        await settle()
        assert MAX_WAITING_BYTES <= pipe.read_bytes <= MAX_WAITING_BYTES + 2 * len(BLOCK)
        for _ in range(blocks):
            assert await stream.read() == BLOCK


async def test_what_is_discarded_stops_nobody() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1, 3)
        unread, other = await accepted(multiplexer), await accepted(multiplexer)
        for _ in range(2 * MAX_WAITING_BYTES // len(BLOCK)):
            pipe.put(data(1, BLOCK))
        pipe.put(data(3, b"x"))
        await settle()
        unread.discard()
        assert await other.read() == b"x"


async def test_a_writer_waits_for_a_client_that_does_not_read() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1)
        stream = await accepted(multiplexer)
        pipe.flowing.clear()
        writing = asyncio.create_task(stream.write(b"x"))
        await settle()
        assert not writing.done()
        pipe.flowing.set()
        await writing


async def test_a_client_that_only_pings_and_never_reads_is_not_read_either() -> None:
    pipe = Pipe()
    pipe.flowing.clear()
    async with running(pipe):
        pings = spdyclient.ping(1) * 6_000
        for _ in range(5):
            pipe.put(pings)
        await settle()
        assert pipe.read_bytes <= 2 * len(pings)
        pipe.flowing.set()


async def test_a_reset_of_the_client_is_an_error_for_the_reader_only() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1, 3)
        gone, other = await accepted(multiplexer), await accepted(multiplexer)
        pipe.put(data(1, b"before") + spdyclient.reset(1))
        assert await gone.read() == b"before"
        with pytest.raises(ConnectionResetError):
            await gone.read()
        await gone.write(b"dropped")
        await other.write(b"kept")
    assert [frame.payload for frame in pipe.sent if frame.kind == 0] == [b"kept"]


async def test_a_lost_connection_reaches_everybody() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1)
        stream = await accepted(multiplexer)
        reading, accepting = asyncio.create_task(stream.read()), asyncio.create_task(multiplexer.accept())
        await settle()
        pipe.put(b"")
        assert await accepting is None
        assert await multiplexer.accept() is None
        for waiting in (reading, stream.write(b"x")):
            with pytest.raises(ConnectionResetError):
                await waiting
        assert multiplexer.gone.is_set()


async def test_a_client_that_goes_away_can_be_sent_the_rest() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1)
        stream = await accepted(multiplexer)
        pipe.put(spdyclient.GOAWAY)
        await multiplexer.gone.wait()
        assert await multiplexer.accept() is None
        await stream.write(b"rest")
    assert Frame(0, 1, b"rest") in pipe.sent


async def test_streams_that_both_sides_have_ended_are_forgotten() -> None:
    pipe = Pipe()
    async with running(pipe) as multiplexer:
        pipe.open(1, 3, 5)
        streams = [await accepted(multiplexer) for _ in range(3)]
        pipe.put(data(1, b"", flags=FIN) + spdyclient.reset(3))
        streams[0].finish()
        await settle()
        streams[2].reset()
        assert not multiplexer._streams


IDS = st.sampled_from([1, 3, 5])
FRAMES = st.one_of(
    st.tuples(st.just("open"), IDS),
    st.tuples(st.just("open and end"), IDS),
    st.tuples(st.just("data"), IDS),
    st.tuples(st.just("end"), IDS),
    st.tuples(st.just("reset"), IDS),
    st.tuples(st.just("headers"), IDS),
)
ACTIONS = st.tuples(st.sampled_from(["accept", "write", "finish", "reset", "discard"]), IDS)


@given(st.lists(st.one_of(FRAMES, ACTIONS, st.just(("wait", 0))), max_size=30))
@settings(max_examples=200)
def test_whatever_both_sides_do_nothing_waits_for_streams_that_are_gone(steps: list[tuple[str, int]]) -> None:
    asyncio.run(_live(steps))


async def _live(steps: list[tuple[str, int]]) -> None:
    pipe = Pipe()
    streams: dict[int, Stream] = {}
    async with running(pipe) as multiplexer:
        for what, stream_id in steps:
            if what in FROM_CLIENT:
                pipe.put(FROM_CLIENT[what](pipe.spdy, stream_id))
            elif what == "wait":
                streams |= await _opened(multiplexer)
            elif stream_id in streams:
                await _act(streams[stream_id], what)
        streams |= await _opened(multiplexer)
        for stream in streams.values():
            stream.reset()
        await multiplexer.flush()
        assert not multiplexer._streams and not multiplexer._waiting and not multiplexer.gone.is_set()
        for stream in streams.values():
            with pytest.raises(ConnectionError):
                while await stream.read() is not None:
                    pass
                raise ConnectionAbortedError  # the client had ended it before


async def _opened(multiplexer: Multiplexer) -> dict[int, Stream]:
    """The new streams, after all that the client has sent so far."""
    await settle()
    streams = {}
    while not multiplexer._new.empty():
        stream = await multiplexer.accept()
        assert stream is not None
        streams[stream.stream_id] = stream
    return streams


async def _act(stream: Stream, what: str) -> None:
    if what == "write":
        await stream.write(b"x")
    else:
        getattr(stream, what)()


FROM_CLIENT: dict[str, Callable[[SpdyClient, int], bytes]] = {
    "open": lambda spdy, number: spdy.open(number, {"a": "b"}),
    "open and end": lambda spdy, number: spdy.open(number, {}, flags=FIN),
    "data": lambda _, number: data(number, b"data"),
    "end": lambda _, number: data(number, b"last", flags=FIN),
    "reset": lambda _, number: spdyclient.reset(number),
    "headers": lambda spdy, number: spdy.headers(number, {}, flags=FIN),
}
