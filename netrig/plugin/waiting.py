"""Waiting for what happens by itself, with a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hull.processes import until
from netrig.errors import Unexpected

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, within_s: float = 10.0, message: str | Callable[[], object] = "") -> T:
    """Call `condition` until its result is true, and return the result.

    A condition that raises AssertionError is not true yet; any other error ends the wait. The pauses grow from 5 to
    50 ms. Raises Unexpected (an AssertionError) when `within_s` seconds have passed: with `message`, which may be a
    function that looks at the state of that moment, and with the last result or the last AssertionError.
    """
    outcome = "it was never called"
    for _ in until(within_s):
        try:
            if result := condition():
                return result
        except AssertionError as error:
            outcome = str(error) or "AssertionError"
        else:
            outcome = f"last result: {result!r}"
    text = message() if callable(message) else message
    raise Unexpected(f"{text or 'the condition is not true'} (after {within_s:g} s; {outcome})")
