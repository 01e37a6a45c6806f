"""Values that are messages in protobuf and something else in JSON: times, quantities, numbers or texts, any JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from master.schema.protobuf.wire import BYTES, VARINT, Malformed, length, signed, skip, varint

Reader = Callable[[bytes, int, int], Any]
"""Reads a value from `data[at:end]`, without its tag and length. Raises Malformed, IndexError, UnicodeDecodeError."""

_EPOCH: Final = datetime(1970, 1, 1)
# The time that a program in Go has set to nothing: the first second of year 1.
_NO_TIME: Final = -62135596800


def scalars(data: bytes, at: int, end: int) -> dict[int, Any]:
    """The fields of a message by number: numbers without sign, and bytes. Of repeated fields, the last one counts."""
    fields: dict[int, Any] = {}
    while at < end:
        tag, at = varint(data, at)
        if tag & 7 == VARINT:
            fields[tag >> 3], at = varint(data, at)
        elif tag & 7 == BYTES:
            begin, at = length(data, at, end)
            fields[tag >> 3] = data[begin:at]
        else:
            at = skip(data, at, end, tag)
    if at != end:
        raise Malformed(f"the message that ends at byte {end} is cut off")
    return fields


def _number(fields: dict[int, Any], number: int, bits: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise Malformed("bytes in place of a number")
    return signed(value, bits)


def _bytes(fields: dict[int, Any], number: int) -> bytes:
    value = fields.get(number, b"")
    if not isinstance(value, bytes):
        raise Malformed("a number in place of bytes")
    return value


def _moment(seconds: int, microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    except OverflowError as error:
        raise Malformed("a time is not in the years 1 to 9999") from error


def read_time(data: bytes, at: int, end: int) -> str | None:
    """A time in RFC 3339, without fractions, as Kubernetes stores it. None if it is not set."""
    fields = scalars(data, at, end)
    seconds = _number(fields, 1, 64)
    if at == end or seconds == _NO_TIME:
        return None
    return f"{_moment(seconds, 0).isoformat()}Z"


def read_microtime(data: bytes, at: int, end: int) -> str | None:
    """A time in RFC 3339 with six digits of fractions. None if it is not set."""
    fields = scalars(data, at, end)
    seconds, nanoseconds = _number(fields, 1, 64), _number(fields, 2, 32)
    if at == end or (seconds == _NO_TIME and not nanoseconds):
        return None
    return f"{_moment(seconds, int(nanoseconds / 1000)).isoformat(timespec='microseconds')}Z"


def read_quantity(data: bytes, at: int, end: int) -> str:
    """The text of a quantity. A message without one is 0."""
    if at == end:
        return "0"
    if data[at] == 1 << 3 | BYTES and at + 2 + data[at + 1] == end < at + 0x82:
        return data[at + 2 : end].decode()
    return _bytes(scalars(data, at, end), 1).decode()


def read_number_or_text(data: bytes, at: int, end: int) -> int | str:
    """The integer or the text, whichever the message says it has."""
    fields = scalars(data, at, end)
    kind = _number(fields, 1, 64)
    number, text = _number(fields, 2, 32), _bytes(fields, 3).decode()
    if kind not in (0, 1):
        raise Malformed("neither a number nor a text")
    return text if kind else number


def read_json(data: bytes, at: int, end: int) -> Any:
    """Any JSON, which a message has as text. None if it has none."""
    text = _bytes(scalars(data, at, end), 1)
    try:
        return msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"the text in the message that ends at byte {end} is not JSON") from error


def read_text(data: bytes, at: int, end: int) -> str:
    return data[at:end].decode()


def read_bytes(data: bytes, at: int, end: int) -> str:
    """Bytes, as JSON has them: in base64."""
    return base64.b64encode(data[at:end]).decode()
