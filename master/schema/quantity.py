"""Quantities of the Kubernetes API: `500m`, `128Mi`, `1e3`. Computed exactly, without floats.

The rules are those of k8s.io/apimachinery/pkg/api/resource, including those that look accidental, because clients
compare what they sent with what they read. Two differences: a text without a digit is refused (Kubernetes reads `Mi` as
0), and so is an exponent beyond 30.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

# The largest 64-bit number. Larger values count as this, as in Kubernetes.
MAX: Final = (1 << 63) - 1
_FORM: Final = re.compile(
    r"(?=[+-]?\.?\d)([+-]?)0*(\d*)\.?(\d*)(?:[eE]([+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?", re.ASCII
)
_MAX_LENGTH: Final = 64
_MAX_EXPONENT: Final = 30
# Smaller parts are rounded up: of any quantity, and of those in a list of resources.
_NANO: Final = -9
_MILLI: Final = -3
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIXES: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_SUFFIXES: Final = ("", *_BINARY)
# How many values each function remembers.
_REMEMBERED: Final = 4096


class _Parts(NamedTuple):
    """The text of a quantity: sign, digits before the point without leading zeros, digits after it, and suffix."""

    sign: str
    whole: str
    fraction: str
    exponent: int | None
    suffix: str


def _split(text: str) -> _Parts:
    match = _FORM.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        shown = text[:_MAX_LENGTH]
        raise ValueError(
            f"{shown!r} is not a quantity: a number with an optional suffix, such as 500m, 1.5, 128Mi or 2G"
        )
    sign, whole, fraction, exponent, suffix = match.groups("")
    if not exponent:
        return _Parts(sign, whole or "0", fraction, None, suffix)
    if len(exponent) > len("-030") or abs(int(exponent)) > _MAX_EXPONENT:
        raise ValueError(f"{text!r} is out of range")
    return _Parts(sign, whole or "0", fraction, int(exponent), "")


def _value(parts: _Parts, smallest: int = _NANO) -> tuple[int, int]:
    """The value without its sign as `amount * 10**scale`: rounded up to a scale of at least `smallest`, and with a
    binary suffix at most MAX.
    """
    amount = int(parts.whole + parts.fraction)
    scale = -len(parts.fraction)
    bits = _BINARY.get(parts.suffix)
    if bits is None:
        scale += _DECIMAL[parts.suffix] if parts.exponent is None else parts.exponent
    else:
        amount <<= bits
    if scale < smallest:
        amount, scale = _divided(amount, 10 ** (smallest - scale)), smallest
    if bits is not None and amount > MAX * 10**-scale:
        return MAX, 0
    return amount, scale


def _divided(amount: int, by: int) -> int:
    """The quotient, rounded up."""
    return -(-amount // by)


def parse(text: str) -> Decimal:
    """The value in base units (cores, bytes). Raises ValueError when the text is not a quantity."""
    return _parse(text)


@lru_cache(maxsize=_REMEMBERED)
def _parse(text: str) -> Decimal:
    parts = _split(text)
    amount, scale = _value(parts)
    # Arithmetic of Decimal would round to 28 digits. Making a number from text does not.
    return Decimal(f"{parts.sign}{amount}E{scale}")


def _scaled(text: str, power: int) -> int:
    """The value in units of `10**power`, rounded away from zero, at most MAX."""
    parts = _split(text)
    amount, scale = _value(parts)
    scale -= power
    whole = amount * 10**scale if scale >= 0 else _divided(amount, 10**-scale)
    return -min(whole, MAX) if parts.sign == "-" else min(whole, MAX)


@lru_cache(maxsize=_REMEMBERED)
def millis_of(text: str) -> int:
    """The value in thousandths, rounded up: millicores for cpu. Raises ValueError."""
    return _scaled(text, -3)


@lru_cache(maxsize=_REMEMBERED)
def bytes_of(text: str) -> int:
    """The value in whole units, rounded up: bytes for memory. Raises ValueError."""
    return _scaled(text, 0)


@lru_cache(maxsize=_REMEMBERED)
def canonical(text: str) -> str:
    """The form in which Kubernetes stores a quantity: an integer with the largest suffix that keeps it exact.

    Binary suffixes stay binary, decimal ones decimal, exponents exponents: `500m` for `0.5`, `1` for `1000m`, `1Gi` for
    `1024Mi`, `10e3` for `1e4`. Some texts stay as they are, with their sign and leading zeros. Raises ValueError.
    """
    return _canonical(text, _NANO)


@lru_cache(maxsize=_REMEMBERED)
def canonical_resource(text: str) -> str:
    """The form of a quantity in a list of resources (requests, limits, capacity …): thousandths are its smallest part.

    `101m` for `100.5m`. Raises ValueError.
    """
    return _canonical(text, _MILLI)


def _canonical(text: str, smallest: int) -> str:
    parts = _split(text)
    if _is_kept(parts, smallest):
        return text
    amount, scale = _value(parts, smallest)
    if amount == 0:
        return "0"
    sign = "-" if parts.sign == "-" else ""
    if parts.suffix in _BINARY:
        whole = amount // 10**-scale
        if whole >= 1024 and whole * 10**-scale == amount:
            return sign + _binary(whole)
    return sign + _decimal(amount, scale, exponential=parts.exponent is not None)


@lru_cache(maxsize=_REMEMBERED)
def total(first: str, second: str) -> str:
    """The sum of two amounts, none of them negative, in the form of the first one, or of the second if that one is 0.

    As in Kubernetes: `1536Mi` for `1Gi` and `512Mi`, `2k` for `1k` and `1000`. Raises ValueError.
    """
    amounts = [_value(_split(text)) for text in (first, second)]
    lead = _split(first if amounts[0][0] else second)
    scale = min(scale for _, scale in amounts)
    amount = sum(amount * 10 ** (each - scale) for amount, each in amounts)
    if amount == 0:
        return "0"
    whole, rest = (amount * 10**scale, 0) if scale >= 0 else divmod(amount, 10**-scale)
    if lead.suffix in _BINARY and whole >= 1024 and not rest:
        return _binary(whole)
    return _decimal(amount, scale, exponential=lead.exponent is not None)


def _is_kept(parts: _Parts, smallest: int) -> bool:
    """Whether Kubernetes keeps the text. It does for most numbers that keep their suffix in the canonical form."""
    digits = parts.whole + parts.fraction
    if (bits := _BINARY.get(parts.suffix)) is not None:
        # The number has to fit 64 bits by an estimate, and is not divided by 1024 if eight does not divide it.
        return not parts.fraction and len(digits) <= 14 - bits * 3 // 10 and int(digits) & 7 != 0
    exponent = _DECIMAL[parts.suffix] if parts.exponent is None else parts.exponent
    scale = exponent - len(parts.fraction)
    if len(digits) > 18 or scale < smallest or scale % 3:
        return False
    return not digits.endswith("000") and digits[0] != "0"


def _binary(whole: int) -> str:
    times = 0
    while whole % 1024 == 0:
        whole //= 1024
        times += 1
    return f"{whole}{_BINARY_SUFFIXES[times]}"


def _decimal(amount: int, scale: int, *, exponential: bool) -> str:
    digits = str(amount)
    significant = digits.rstrip("0")
    scale += len(digits) - len(significant)
    # The exponent is a multiple of three. There is no suffix after E.
    power = scale - scale % 3
    if not exponential:
        power = min(power, _DECIMAL["E"])
    digits = significant + "0" * (scale - power)
    if exponential:
        return f"{digits}e{power}" if power else digits
    return digits + _DECIMAL_SUFFIXES[power]
