"""Waiting, with a bound, for what becomes true by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from netrig.errors import Unexpected

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.005
_GROWTH: Final = 1.2


def eventually(
    condition: Callable[[], T],
    *,
    within_s: float = 30.0,
    message: str | Callable[[], object] = "",
    period_s: float = 0.05,
) -> T:
    """Call `condition` until its result is true, and return that result.

    A condition that raises AssertionError is not true yet; any other error ends the wait. The pauses between two calls
    grow from 5 ms to `period_s`. Raises Unexpected, an AssertionError, after `within_s` seconds; its text has `message`
    (a function is called at that moment), and the last result or the last AssertionError.
    """
    deadline, pause_s = time.monotonic() + within_s, min(_FIRST_PAUSE_S, period_s)
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
        time.sleep(pause_s)
        pause_s = min(pause_s * _GROWTH, period_s)
