"""Looks: how often the engine is asked about an end that it may record late. A pure function."""

from __future__ import annotations

from collections.abc import Iterator


def waits(first_s: float, looks: int) -> Iterator[float]:
    """The seconds to wait after each of so many looks; each wait is twice as long as the one before."""
    for look in range(looks):
        yield first_s * 2**look
