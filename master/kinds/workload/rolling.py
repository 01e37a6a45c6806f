"""How many pods a rolling update may add or take away: numbers, or percentages of the desired pods."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from master.objects.scalars import Int32
from master.schema.checks import Findings

ROLLING_UPDATE: Final = "RollingUpdate"
# `3` or `25%`.
IntOrPercent = Int32 | str
_PERCENT: Final = re.compile(r"[0-9]+%", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
# A percentage with more digits is far above 100 %. Python refuses to read very long numbers.
_MAX_DIGITS: Final = 9


def with_rolling_update(strategy: Any, default: Any) -> Any:
    """How pods are replaced, with defaults: a rolling update, whose missing numbers are those of `default`.

    `strategy` has a `type` and a `rolling_update` of the type of `default`, with `max_unavailable` and `max_surge`.
    """
    strategy = replace(strategy, type=strategy.type or ROLLING_UPDATE)
    if strategy.type != ROLLING_UPDATE:
        return strategy
    rolling = strategy.rolling_update or default
    rolling = replace(
        rolling,
        max_unavailable=default.max_unavailable if rolling.max_unavailable is None else rolling.max_unavailable,
        max_surge=default.max_surge if rolling.max_surge is None else rolling.max_surge,
    )
    return replace(strategy, rolling_update=rolling)


def check_int_or_percent(value: IntOrPercent | None, at: str, findings: Findings, *, at_most_all: bool) -> None:
    """Checks one number. `at_most_all`: it may not be more than 100 %."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value):
            findings.invalid(at, value, "a valid percent string must be a numeric string followed by an ending '%'")
        elif at_most_all and amount(value) > 100:
            findings.invalid(at, value, "must not be greater than 100%")
    elif value is not None and value < 0:
        findings.invalid(at, value, "must be greater than or equal to 0")


def amount(value: IntOrPercent | None) -> int:
    """The number itself, or that of the percents. Text that is neither is 0, as in Kubernetes."""
    if isinstance(value, str):
        digits = value.removesuffix("%")
        return int(digits[: _MAX_DIGITS + 1]) if _INTEGER.fullmatch(digits) else 0
    return value or 0


def scaled(value: IntOrPercent | None, total: int, *, round_up: bool) -> int:
    """The number of pods out of `total`."""
    if not isinstance(value, str):
        return value or 0
    product = amount(value) * total
    return -(-product // 100) if round_up else product // 100
