"""Interrupts of a command come in pairs, and the second one may hit any line of telling the first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from cli import exits
from cli import main as entry


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """As a process starts: an interrupt ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    sys.settrace(None)
    signal.signal(signal.SIGINT, before)


def test_a_second_interrupt_at_any_line_is_told_like_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        sys.settrace(trace)
        sys._getframe(1).f_trace = trace
        signal.raise_signal(signal.SIGINT)
        return exits.OK

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == chosen:
            assert signal.getsignal(signal.SIGINT) is not signal.SIG_DFL, "it would end without a word"
            signal.raise_signal(signal.SIGINT)
        return trace

    monkeypatch.setattr(entry, "_run", run)
    for chosen in range(1, 200):
        steps = 0
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        code = entry.main(["status"])
        sys.settrace(None)
        assert code == exits.INTERRUPTED
        assert capsys.readouterr().err == "sampan: interrupted; run the command again to go on\n"
        if steps < chosen:
            assert steps > 5
            return
    pytest.fail("it has more steps than were tried")
