"""The wire format of protobuf: numbers of variable length, and unknown fields.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5
_LONGEST_VARINT: Final = 10


class Malformed(Exception):
    """The bytes are not a message of the type."""


def to_varint(value: int) -> bytes:
    """An unsigned number: seven bits in a byte, the lowest ones first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of 64 bits, and the position behind it. Raises Malformed, IndexError behind the data."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    second = data[at + 1]
    if second < 0x80:
        return first + (second - 1 << 7), at + 2
    result = shift = 0
    for position in range(at, at + _LONGEST_VARINT):
        byte = data[position]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position + 1
        shift += 7
    raise Malformed(f"a number at byte {at} is longer than 64 bits")


def signed(value: int, bits: int) -> int:
    """The number in two's complement. As in Kubernetes, higher bits are dropped."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The begin and end of a field of type BYTES whose length is at this position. Raises Malformed."""
    size, begin = varint(data, at)
    if begin + size > end:
        raise Malformed(f"the field at byte {at} is cut off")
    return begin, begin + size


def skip(data: bytes, at: int, end: int, tag: int) -> int:
    """The position behind the value of a field that is not known. Raises Malformed."""
    if not 0 < tag >> 3 < 1 << 31:
        raise Malformed(f"illegal field number before byte {at}")
    depth = 0
    while True:
        kind = tag & 7
        if kind == VARINT:
            _, at = varint(data, at)
        elif kind == BYTES:
            _, at = length(data, at, end)
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        elif kind == GROUP:
            depth += 1
        elif kind == END_GROUP and depth:
            depth -= 1
        else:
            raise Malformed(f"illegal wire type {kind} before byte {at}")
        if at > end:
            raise Malformed(f"the field at byte {at} is cut off")
        if not depth:
            return at
        tag, at = varint(data, at)
