"""The two streams of each forwarded connection: how they find each other, and what becomes of one that stays alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from master.api.remote import streampairs
from master.api.remote.streampairs import Pair, Pairs
from tests.fakes.clock import settle
from tests.fakes.spdypipe import Pipe, running
from tests.spdyclient import FIN, Frame, data, reset

SYN_REPLY, RST_STREAM = 2, 3


def opening(pipe: Pipe, stream_id: int, kind: str, request: str = "", port: str = "80") -> None:
    more = {"requestid": request} if request else {}
    pipe.put(pipe.spdy.open(stream_id, {"streamtype": kind, "port": port, **more}))


@asynccontextmanager
async def pairs_of(pipe: Pipe, *, pair_s: float = 60.0) -> AsyncIterator[Pairs]:
    async with running(pipe) as multiplexer, aclosing(Pairs(multiplexer, pair_s=pair_s)) as pairs:
        yield pairs


async def next_pair(pairs: Pairs) -> Pair:
    pair = await pairs.next()
    assert pair is not None
    return pair


async def test_streams_of_the_same_request_are_a_pair_in_any_order() -> None:
    pipe = Pipe()
    async with pairs_of(pipe) as pairs:
        opening(pipe, 1, "error", "a", "80")
        opening(pipe, 3, "data", "b", "90")
        opening(pipe, 5, "error", "b", "90")
        opening(pipe, 7, "data", "a", "80")
        first, second = await next_pair(pairs), await next_pair(pairs)
        assert [(pair.port, pair.data.stream_id, pair.error.stream_id) for pair in (first, second)] == [
            (90, 3, 5),
            (80, 7, 1),
        ]


async def test_without_a_request_the_stream_of_the_bytes_follows_that_of_the_error() -> None:
    pipe = Pipe()
    async with pairs_of(pipe) as pairs:
        for stream_id, kind in ((1, "error"), (5, "error"), (7, "data")):
            opening(pipe, stream_id, kind)
        pair = await next_pair(pairs)
        assert (pair.data.stream_id, pair.error.stream_id) == (7, 5)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        pytest.param(
            "error",
            [Frame(0, 1, b"(request=a) timed out waiting for streams"), Frame(0, 1, b"", FIN)],
            id="error",
        ),
        pytest.param("data", [Frame(RST_STREAM, 1, b"\0\0\0\5")], id="data"),
    ],
)
async def test_a_stream_that_stays_alone_is_given_up(kind: str, answer: list[Frame]) -> None:
    pipe = Pipe()
    async with pairs_of(pipe, pair_s=0) as pairs:
        waiting = asyncio.create_task(pairs.next())
        opening(pipe, 1, kind, "a")
        await settle()
        assert [frame for frame in pipe.sent if frame.kind != SYN_REPLY] == answer
        pipe.put(b"")
        assert await waiting is None


async def test_streams_that_a_client_resets_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streampairs, "MAX_HALVES", 2)
    pipe = Pipe()
    async with pairs_of(pipe) as pairs:
        waiting = asyncio.create_task(pairs.next())
        for stream_id in (1, 3):
            opening(pipe, stream_id, "error", f"request {stream_id}")
            pipe.put(reset(stream_id))
        opening(pipe, 5, "error", "one too many")
        opening(pipe, 7, "data", "request 1")
        assert (pair := await waiting) is not None and pair.data.stream_id == 7
        assert [frame.stream_id for frame in pipe.sent if frame.kind == RST_STREAM] == [5]


async def test_the_end_of_a_pair_ends_both_streams_and_drops_what_comes_later() -> None:
    pipe = Pipe()
    async with pairs_of(pipe) as pairs:
        opening(pipe, 1, "error", "a")
        opening(pipe, 3, "data", "a")
        pair = await next_pair(pairs)
        pipe.put(data(3, b"early"))
        await settle()
        pair.end()
        pipe.put(data(3, b"late") + data(3, b"", flags=FIN) + data(1, b"", flags=FIN))
        await settle()
        assert [frame for frame in pipe.sent if frame.kind == 0] == [Frame(0, 3, b"", FIN), Frame(0, 1, b"", FIN)]
        multiplexer = pairs._multiplexer
        assert not multiplexer._streams and not multiplexer._waiting


@pytest.mark.parametrize(
    ("kind", "port"), [("data", "0"), ("data", "65536"), ("data", ""), ("data", "http"), ("stdin", "80")]
)
async def test_a_stream_with_wrong_headers_is_not_accepted(kind: str, port: str) -> None:
    pipe = Pipe()
    async with pairs_of(pipe) as pairs:
        opening(pipe, 1, kind, "1", port)
        pipe.put(b"")
        assert await pairs.next() is None
    assert not [frame for frame in pipe.sent if frame.kind == SYN_REPLY]
