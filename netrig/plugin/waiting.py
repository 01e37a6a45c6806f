"""Waiting, with a bound, for what becomes true by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from netrig.errors import Unexpected

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.005
_GROWTH: Final = 1.2
_PERIOD_S: Final = 0.05
_SHARE: Final = 0.1
_LONGEST_PAUSE_S: Final = 0.5


def eventually(
    condition: Callable[[], T],
    *,
    within_s: float = 30.0,
    message: str | Callable[[], object] = "",
    period_s: float | None = None,
) -> T:
    """Call `condition` until its result is true, and return that result.

    A condition that raises AssertionError is not true yet; any other error ends the wait. The pauses between two calls
    grow from 5 ms to `period_s`; by default to 50 ms, and in long waits to a tenth of the time waited so far, at most
    half a second, because a condition may start programs. Raises Unexpected, an AssertionError, after `within_s`
    seconds; its text has `message` (a function is called at that moment), and the last result or the last
    AssertionError.
    """
    began = time.monotonic()
    deadline, pause_s = began + within_s, _FIRST_PAUSE_S
    while True:
        try:
            if result := condition():
                return result
            outcome = f"last result: {result!r}"
        except AssertionError as error:
            outcome = str(error) or "AssertionError"
        if time.monotonic() >= deadline:
            text = message() if callable(message) else message
            raise Unexpected(f"{text or 'the condition is not true'} (after {within_s:g} s; {outcome})")
        longest_s = _longest_pause(time.monotonic() - began) if period_s is None else period_s
        time.sleep(min(pause_s, longest_s))
        pause_s = min(pause_s * _GROWTH, longest_s)


def _longest_pause(waited_s: float) -> float:
    """The longest pause after a wait so far."""
    return max(_PERIOD_S, min(waited_s * _SHARE, _LONGEST_PAUSE_S))
