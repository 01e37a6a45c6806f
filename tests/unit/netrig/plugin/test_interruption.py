"""A worker of xdist that is interrupted takes away what it has made, however often it is interrupted again."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from netrig.plugin.hooks import interrupt_once


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, interrupt_once)
    yield
    signal.signal(signal.SIGINT, before)


def test_only_the_first_interruption_counts(handler: None) -> None:
    ended = []
    with pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            ended.append("cleaned up")
    assert ended == ["cleaned up"]
