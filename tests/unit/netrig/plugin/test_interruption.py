"""SIGTERM interrupts a run once, as SIGINT does in a worker of xdist, so that fixtures can finish their removal."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from netrig.plugin.hooks import handle_signals, interrupt_once

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def default_handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def config(pytester: pytest.Pytester) -> pytest.Config:
    """The configuration of a run that has not begun."""
    return pytester.parseconfig("-p", "no:hypothesispytest")


@pytest.mark.parametrize("number", SIGNALS)
def test_only_the_first_interruption_counts(number: int, default_handlers: None) -> None:
    signal.signal(number, interrupt_once)
    ended = []
    with pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            ended.append("cleaned up")
    assert ended == ["cleaned up"]


def test_a_run_handles_sigterm_until_its_end(config: pytest.Config, default_handlers: None) -> None:
    handle_signals(config)
    assert signal.getsignal(signal.SIGTERM) is interrupt_once
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    config._ensure_unconfigure()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_worker_of_xdist_handles_both_signals(config: pytest.Config, default_handlers: None) -> None:
    config.workerinput = {}  # type: ignore[attr-defined]
    handle_signals(config)
    assert [signal.getsignal(number) for number in SIGNALS] == [interrupt_once] * 2
    config._ensure_unconfigure()
    assert [signal.getsignal(number) for number in SIGNALS] == [signal.default_int_handler, signal.SIG_DFL]


def test_a_handler_of_the_project_s_own_stays(config: pytest.Config, default_handlers: None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    handle_signals(config)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
