"""The engine's stream format."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.frames import FrameError, Frames, joined
from agent.runtime.process import Channel

PIECES = st.lists(st.tuples(st.sampled_from(Channel), st.binary(max_size=40)), max_size=8)


def encoded(pieces: list[tuple[Channel, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", channel, len(data)) + data for channel, data in pieces)


@given(PIECES, st.lists(st.integers(1, 20), max_size=60))
def test_output_arrives_whole_however_it_is_cut(pieces: list[tuple[Channel, bytes]], sizes: list[int]) -> None:
    stream, frames = encoded(pieces), Frames()
    received: list[tuple[Channel, int]] = []
    for size in [*sizes, len(stream) + 1]:
        for channel, data in frames.feed(stream[:size]):
            received += [(channel, byte) for byte in data]
        stream = stream[size:]
    assert received == [(channel, byte) for channel, data in pieces for byte in data]
    assert not frames.inside


@pytest.mark.parametrize("cut", range(1, 11))
def test_an_end_inside_a_frame_is_seen(cut: int) -> None:
    frames = Frames()
    list(frames.feed(encoded([(Channel.STDERR, b"abc")])[:cut]))
    assert frames.inside


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(FrameError, match="channel 7"):
        list(Frames().feed(b"\x07\0\0\0\0\0\0\1"))


def test_pieces_of_one_channel_that_follow_each_other_become_one() -> None:
    out, err = Channel.STDOUT, Channel.STDERR
    assert list(joined([(out, b"a"), (out, b"b"), (err, b"c"), (out, b"d")])) == [
        (out, b"ab"),
        (err, b"c"),
        (out, b"d"),
    ]
