"""Durations as people write and read them: 90s, 30m, 24h, 7d."""

import argparse
import re
from datetime import datetime, timedelta
from typing import Final

_DURATION: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """Raises ArgumentTypeError."""
    match = _DURATION.fullmatch(text)
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f'"{text}" is not a duration: 30m, 24h, 7d')
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def remaining(seconds: float | None) -> str:
    """In the largest unit that is precise enough: at least two of it."""
    if seconds is None:
        return "?"
    if seconds <= 0:
        return "EXPIRED"
    for unit in ("d", "h", "m"):
        if seconds >= 2 * _UNITS[unit]:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return f"{int(seconds)}s"


def seconds_until(moment: str, now: datetime) -> float | None:
    """From `now` to a moment in ISO 8601; None where the text is not one."""
    try:
        return (datetime.fromisoformat(moment) - now).total_seconds()
    except (ValueError, TypeError):
        return None
