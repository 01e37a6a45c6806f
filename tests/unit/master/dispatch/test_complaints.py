"""The rate-limited log about peers: each text once a window, a limited number of texts, and all again in the next."""

from __future__ import annotations

import logging

import pytest

from master.dispatch.complaints import MAX_CHARACTERS, MAX_TEXTS, WINDOW_S, Complaints
from tests.fakes.clock import FakeClock

log = logging.getLogger("complaints of the test")


async def test_a_repeated_text_is_logged_once_a_window(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    complaints = Complaints(log, clock)
    for _ in range(100):
        complaints.log("node-1", "wrong")
    assert [record.getMessage() for record in caplog.records] == ["node node-1: wrong"]
    await clock.advance(WINDOW_S + 1)
    complaints.log("node-1", "wrong")
    assert len(caplog.records) == 2


def test_the_number_of_texts_is_limited_for_each_node(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(log, FakeClock())
    for number in range(1000):
        complaints.log("node-1", f"wrong {number}")
    assert len(caplog.records) == MAX_TEXTS + 1
    assert "no more are logged for a minute" in caplog.text
    complaints.log("node-2", "x" * 100_000)
    assert len(caplog.records[-1].getMessage()) < MAX_CHARACTERS + 50
    assert caplog.records[-1].getMessage().startswith("node node-2: xxx")
