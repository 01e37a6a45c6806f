"""Durations in messages, as Go writes them."""

from __future__ import annotations

import pytest

from agent.pods.durations import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.393, "393ms"),
        (1.2, "1.2s"),
        (15.981, "15.981s"),
        (40.0, "40s"),
        (80.0, "1m20s"),
        (300.0, "5m0s"),
        (3600.5, "1h0m0.5s"),
        (-1.0, "0s"),
    ],
)
def test_a_duration(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
