"""Waiting for an outcome: generous, and with a message that tells what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, timeout_s: float = 30.0, period_s: float = 0.1) -> T:
    """The first true value of `look`; an AssertionError means "not yet". Fails with the last one seen."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while True:
        try:
            value = look()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s; last seen: {last}")
        time.sleep(period_s)
