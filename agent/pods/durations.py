"""Durations as Kubernetes writes them, which is how Go does: 1.2s, 393ms, 1m20s. Pure functions."""

from __future__ import annotations


def go_duration(seconds: float) -> str:
    """The duration, in whole milliseconds."""
    ms = max(0, round(seconds * 1000))
    if 0 < ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{before}{rest / 1000:g}s"
