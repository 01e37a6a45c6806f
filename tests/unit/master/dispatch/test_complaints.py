"""What is told of peers that misbehave: once, with an end, and again after a while."""

from __future__ import annotations

import logging

import pytest

from master.dispatch.complaints import MOST_CHARACTERS, MOST_TEXTS, WINDOW_S, Complaints
from tests.fakes.clock import FakeClock

log = logging.getLogger("complaints of the test")


async def test_the_same_is_told_once_a_window(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    complaints = Complaints(log, clock)
    for _ in range(100):
        complaints.tell("node-1", "wrong")
    assert [record.getMessage() for record in caplog.records] == ["node node-1: wrong"]
    await clock.advance(WINDOW_S + 1)
    complaints.tell("node-1", "wrong")
    assert len(caplog.records) == 2


def test_different_words_have_an_end_and_other_nodes_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(log, FakeClock())
    for number in range(1000):
        complaints.tell("node-1", f"wrong {number}")
    assert len(caplog.records) == MOST_TEXTS + 1
    assert "the rest of this minute is not told" in caplog.text
    complaints.tell("node-2", "x" * 100_000)
    assert len(caplog.records[-1].getMessage()) < MOST_CHARACTERS + 50
    assert caplog.records[-1].getMessage().startswith("node node-2: xxx")
