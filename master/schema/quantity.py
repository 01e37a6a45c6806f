"""Quantities of the Kubernetes API: `500m`, `128Mi`, `1e3`. Computed exactly, without floats."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?", re.ASCII)
# The largest 64-bit number. Larger values count as this, as in Kubernetes.
MAX = (1 << 63) - 1
_MAX_LENGTH = 64
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


@lru_cache(maxsize=4096)
def parse(text: str) -> Decimal:
    """The value in base units (cores, bytes). Raises ValueError when the text is not a quantity."""
    match = _FORM.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        shown = text[:_MAX_LENGTH]
        raise ValueError(
            f"{shown!r} is not a quantity: a number with an optional suffix, such as 500m, 1.5, 128Mi or 2G"
        )
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
    """The value in thousandths, rounded up: millicores for cpu."""
    return min(_rounded_up(parse(text) * 1000), MAX)


def bytes_of(text: str) -> int:
    """The value in whole units, rounded up: bytes for memory."""
    return min(_rounded_up(parse(text)), MAX)


def canonical(text: str) -> str:
    """The form in which Kubernetes stores a quantity: an integer with the largest suffix that keeps it exact.

    Binary suffixes stay binary, decimal ones decimal: `500m` for `0.5`, `1` for `1000m`, `1Gi` for `1024Mi`.
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
    # Parts smaller than a billionth are rounded up, as in Kubernetes.
    return f"{_rounded_up(value.scaleb(9))}n"
