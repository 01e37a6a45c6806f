"""Quantities as the Kubernetes API writes them: `500m`, `128Mi`, `1e3`. Exact; floats never come in."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?", re.ASCII)
# What a 64-bit number holds: as Kubernetes, more of anything counts as this much.
MAX = (1 << 63) - 1
_MAX_LENGTH = 64
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


@lru_cache(maxsize=4096)
def parse(text: str) -> Decimal:
    """The value in base units (cores, bytes); ValueError when it is no quantity."""
    match = _FORM.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        shown = text[:_MAX_LENGTH]
        raise ValueError(f"{shown!r} is no quantity: a number with an optional suffix, as 500m, 1.5, 128Mi, 2G")
    number, exponent, suffix = match.groups()
    value = Decimal(number)
    if exponent:
        if abs(int(exponent[1:])) > 30:
            raise ValueError(f"{text!r} is out of range")
        return value * Decimal(10) ** int(exponent[1:])
    if suffix in _BINARY:
        return value * (1 << _BINARY[suffix])
    return value.scaleb(_DECIMAL[suffix or ""])


def _rounded_up(value: Decimal) -> int:
    whole = int(value)
    return whole + 1 if value > whole else whole


def millis_of(text: str) -> int:
    """Thousandths, rounded up, as for cpu."""
    return min(_rounded_up(parse(text) * 1000), MAX)


def bytes_of(text: str) -> int:
    """Whole units, rounded up, as for memory and for counts."""
    return min(_rounded_up(parse(text)), MAX)


def canonical(text: str) -> str:
    """The form in which Kubernetes stores it: no fraction, the largest suffix that keeps it exact.

    Binary suffixes stay binary, decimal ones decimal: `0.5` is `500m`, `1000m` is `1`, `1024Mi` is `1Gi`.
    """
    value = parse(text)
    if value == 0:
        return "0"
    binary = text[-2:] in _BINARY
    if binary and value == int(value) and abs(value) >= 1024:
        whole = int(value)
        for suffix, bits in reversed(_BINARY.items()):
            if whole % (1 << bits) == 0:
                return f"{whole >> bits}{suffix}"
        return str(whole)
    for suffix, power in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    # Finer than a billionth is rounded up, as Kubernetes does.
    return f"{_rounded_up(value.scaleb(9))}n"
