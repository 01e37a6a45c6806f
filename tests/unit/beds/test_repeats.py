"""Repeated log messages are recognized by what stays the same in them."""

from __future__ import annotations

import pytest

from tests.cluster.repeats import masked, repeated

BEGIN = "2026-11-28T15:23:01.123 WARNING agent.session.session: "


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("no session: unavailable: ipv4:10.0.0.1:6444", "no session: unavailable: ipv4:10.0.0.2:50000"),
        ("connected to [fd00::1]:6444", "connected to [fd00::2:a]:50000"),
        ("next try in 30 s", "next try in 1234 s"),
        ("stalled for 2.5 s", "stalled for 12.0 s"),
        ("the route to 10.244.1.0/24", "the route to 10.244.12.0/24"),
        ("the link of 02:42:ac:11:00:02", "the link of 02:42:ac:11:00:ff"),
        (
            "session 0f3c9a7be1d24c55a0b1c2d3e4f5a6b7-3 with",
            "session 1f3c9a7be1d24c55a0b1c2d3e4f5a6b7-12 with",
        ),
        (
            "pod 8e5f9a52-7a4e-4f0e-9d53-3f1a2b4c5d6e: unknown",
            "pod 9e5f9a52-7a4e-4f0e-9d53-3f1a2b4c5d6e: unknown",
        ),
    ],
)
def test_what_differs_each_time_is_masked(text: str, same: str) -> None:
    assert masked(BEGIN + text) == masked(BEGIN.replace("15:23:01.123", "16:00:00.000") + same)


@pytest.mark.parametrize("names", [("node1", "node2"), ("default/lossy-1", "default/lossy-2"), ("web-x7k2p", "web-b")])
def test_messages_about_other_objects_are_other_messages(names: tuple[str, str]) -> None:
    one, other = (masked(f"{BEGIN}pod {name}: deleted") for name in names)
    assert one != other


def test_any_number_of_different_lines_is_allowed_and_one_that_returns_is_not() -> None:
    different = [f"{BEGIN}pod default/web-{number}: deleted" for number in range(200)]
    returning = [f"{BEGIN}no answer within {number} ms" for number in range(4)]
    assert repeated(different + returning, 4) == {}
    assert repeated(different + returning, 3) == {"WARNING agent.session.session: no answer within # ms": 4}
