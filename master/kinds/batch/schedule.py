"""The schedule of a CronJob: its syntax, and the names of time zones. Computes no times.

The syntax is that of the library which Kubernetes uses: five fields, or a name such as `@daily`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of the schedule: its range, and names for its first values."""

    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """Raises ValueError for text that is neither a number nor a name."""
        if text.lower() in self.names:
            return self.least + self.names.index(text.lower())
        return _number(text)


_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (_Field(0, 59), _Field(0, 23), _Field(1, 31), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))
_NAMES: Final = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_EVERY: Final = "@every "
_ZONE: Final = re.compile(r"(?:CRON_)?TZ=([^ ]*)( .*)", re.DOTALL)
# A duration as Go writes it.
_DURATION: Final = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}", re.ASCII)
_ZONE_PART: Final = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)


def schedule_problem(text: str) -> str:
    """Why the text is not a schedule; empty if it is one."""
    try:
        _parse(text)
    except ValueError as error:
        return str(error)
    return ""


def _parse(text: str) -> None:
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone = _ZONE.fullmatch(text)
        if zone is None or (zone[1] and not _exists(zone[1])):
            raise ValueError(f"provided bad location: {text}")
        text = zone[2].strip()
    if text.startswith("@"):
        if text not in _NAMES and not (text.startswith(_EVERY) and _DURATION.fullmatch(text.removeprefix(_EVERY))):
            raise ValueError(f"unrecognized descriptor: {text}")
        return
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: {parts}")
    for part, field in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if item:
                _parse_range(item, field)


def _parse_range(text: str, field: _Field) -> None:
    """Checks `*`, `5`, `1-5`, and each of them with a step: `*/2`."""
    numbers, *steps = text.split("/")
    first, *others = numbers.split("-")
    if first in ("*", "?"):
        begin, end = field.least, field.most
    elif len(others) > 1:
        raise ValueError(f"too many hyphens: {text}")
    else:
        begin = field.number(first)
        end = field.number(others[0]) if others else field.most if steps else begin
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    if begin < field.least:
        raise ValueError(f"beginning of range ({begin}) below minimum ({field.least}): {text}")
    if end > field.most:
        raise ValueError(f"end of range ({end}) above maximum ({field.most}): {text}")
    if begin > end:
        raise ValueError(f"beginning of range ({begin}) beyond end of range ({end}): {text}")
    if steps and _number(steps[0]) == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"failed to parse a number from {text!r}")
    return int(text)


def time_zone_problem(name: str) -> str:
    """Why the text is not the name of a time zone, as IANA's database has them; empty if it is one."""
    if not name:
        return "timeZone must be nil or non-empty string"
    parts = name.split("/")
    if any(part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in parts):
        return f"unknown time zone {name}"
    if name.lower() == "local":
        return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    return "" if _exists(name) else f"unknown time zone {name}"


def _exists(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
