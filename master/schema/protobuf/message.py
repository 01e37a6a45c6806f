"""Reads one message: the loop over its fields, and the handlers that set a field of the object."""

from __future__ import annotations

import math
import struct as binary
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from master.schema.protobuf.values import Reader
from master.schema.protobuf.wire import BYTES, FIXED64, VARINT, Malformed, skip, varint

Fill = Callable[[bytes, int, int, dict[str, Any]], None]
"""Reads the message in `data[at:end]` into an object. Raises Malformed, IndexError, UnicodeDecodeError."""
_KEY: Final = 1 << 3 | BYTES
_VALUE: Final = 2 << 3 | BYTES
# In an entry of less than so many bytes, key and value have less than 128.
_SHORT: Final = 0x82
Convert = Callable[[int], Any]
"""Makes the value of an integer without sign."""


OnInteger = Callable[[int, dict[str, Any]], None]
"""Sets a field of an object to an integer without sign."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a message does with its fields, by their tags, which are the numbers of fields with their wire types.

    `omitted`: texts and integers that are not set if they are empty or 0; `texts`: names; `messages`: names and types;
    `others`: handlers of other fields in bytes; `integers` and `fractions`: handlers of numbers. Most fields are of the
    first three kinds, so the loop itself handles them.
    """

    omitted: set[int] = field(default_factory=set)
    texts: dict[int, str] = field(default_factory=dict)
    messages: dict[int, tuple[str, Fill]] = field(default_factory=dict)
    others: dict[int, Fill] = field(default_factory=dict)
    integers: dict[int, OnInteger] = field(default_factory=dict)
    fractions: dict[int, Fill] = field(default_factory=dict)

    def rare(self, data: bytes, at: int, end: int, result: dict[str, Any]) -> int:
        """Handles the field that begins here, a fraction or an unknown one. Returns the position behind it.

        Raises Malformed, also if the field is known with another wire type.
        """
        tag, at = varint(data, at)
        if tag in self.fractions:
            self.fractions[tag](data, at, end, result)
            return at + 8
        for kind in (VARINT, FIXED64, BYTES):
            other = tag & ~7 | kind
            if other == tag and (tag in self.messages or tag in self.others):
                raise Malformed(f"the field at byte {at} is cut off")
            if any(other in known for known in (self.texts, self.messages, self.others, self.integers, self.fractions)):
                raise Malformed(f"field {tag >> 3} has the wire type {tag & 7}, not {kind}")
        return skip(data, at, end, tag)


def reading(table: Table) -> Fill:
    """The function that reads a message. The table may be filled later."""
    omitted, texts, messages = table.omitted, table.texts, table.messages
    others, integers = table.others, table.integers

    def fill(data: bytes, at: int, end: int, result: dict[str, Any]) -> None:
        while at < end:
            begin = at
            # The tag, and the length or the integer behind it. Usually each has one byte.
            tag, size = data[at], data[at + 1]
            at += 2
            if tag >= 0x80:
                tag, at = (tag + (size - 1 << 7), at) if size < 0x80 else varint(data, begin)
                size = data[at]
                at += 1
            if not size and tag in omitted:
                continue
            if size >= 0x80 and tag & 5 == 0:
                size, at = varint(data, at - 1)
            if tag in integers:
                integers[tag](size, result)
                continue
            stop = at + size
            if tag in texts:
                result[texts[tag]] = data[at:stop].decode()
                at = stop
            elif tag in messages and stop <= end:
                name, fill_inner = messages[tag]
                inner = result[name] = {}
                fill_inner(data, at, stop, inner)
                at = stop
            elif tag in others and stop <= end:
                others[tag](data, at, stop, result)
                at = stop
            else:
                at = table.rare(data, begin, end, result)
        if at != end:
            raise Malformed(f"the message that ends at byte {end} is cut off")

    return fill


def whole(fill: Fill) -> Reader:
    """Reads a message as a value of its own."""

    def read(data: bytes, at: int, end: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        fill(data, at, end, result)
        return result

    return read


# -- handlers ---------------------------------------------------------------------------------------------------------


def value(name: str, read: Reader, *, omitted: Any = None) -> Fill:
    """Sets a field. None and `omitted` mean that it is not set."""

    def handle(data: bytes, at: int, stop: int, result: dict[str, Any]) -> None:
        read_value = read(data, at, stop)
        if read_value is not None and read_value != omitted:
            result[name] = read_value

    return handle


def item(name: str, read: Reader) -> Fill:
    """Adds an item to a list."""

    def handle(data: bytes, at: int, stop: int, result: dict[str, Any]) -> None:
        items = result.get(name)
        if items is None:
            result[name] = [read(data, at, stop)]
        else:
            items.append(read(data, at, stop))

    return handle


def entry(name: str, read: Reader, empty: Any) -> Fill:
    """Adds an entry to a map: a message with a key and a value, which is `empty` if it is missing."""

    def handle(data: bytes, at: int, stop: int, result: dict[str, Any]) -> None:
        entries = result.get(name)
        if entries is None:
            entries = result[name] = {}
        if 3 < stop - at < _SHORT and data[at] == _KEY:
            # The usual form: the key first, then the value, both with a length of one byte.
            middle = at + 2 + data[at + 1]
            if middle + 1 < stop and data[middle] == _VALUE and middle + 2 + data[middle + 1] == stop:
                entries[data[at + 2 : middle].decode()] = read(data, middle + 2, stop)
                return
        key, found = _key_and_value(data, at, stop)
        entries[key] = empty if found is None else read(data, *found)

    return handle


def _key_and_value(data: bytes, at: int, end: int) -> tuple[str, tuple[int, int] | None]:
    """The key of an entry, and the place of its value. None if it has no value."""
    key, found = "", None
    while at < end:
        tag, at = varint(data, at)
        if tag & 7 == BYTES:
            size, at = varint(data, at)
            if at + size > end:
                raise Malformed(f"the entry that ends at byte {end} is cut off")
            if tag == _KEY:
                key = data[at : at + size].decode()
            elif tag == _VALUE:
                found = at, at + size
            at += size
        elif tag >> 3 in (1, 2):
            raise Malformed(f"field {tag >> 3} of an entry has the wire type {tag & 7}")
        else:
            at = skip(data, at, end, tag)
    if at != end:
        raise Malformed(f"the entry that ends at byte {end} is cut off")
    return key, found


def integer(name: str, convert: Convert) -> OnInteger:
    """Sets an integer or a flag."""

    def handle(unsigned: int, result: dict[str, Any]) -> None:
        result[name] = convert(unsigned)

    return handle


def integers(name: str, convert: Convert) -> OnInteger:
    """Adds an integer to a list."""

    def handle(unsigned: int, result: dict[str, Any]) -> None:
        result.setdefault(name, []).append(convert(unsigned))

    return handle


def packed(name: str, convert: Convert) -> Fill:
    """Adds all integers of one field to a list."""

    def handle(data: bytes, at: int, stop: int, result: dict[str, Any]) -> None:
        items = result.setdefault(name, [])
        while at < stop:
            unsigned, at = varint(data, at)
            items.append(convert(unsigned))
        if at != stop:
            raise Malformed(f"the list that ends at byte {stop} is cut off")

    return handle


def fraction(name: str, *, zero: bool) -> Fill:
    """Sets a number with a fraction, which has eight bytes."""

    def handle(data: bytes, at: int, end: int, result: dict[str, Any]) -> None:
        if at + 8 > end:
            raise Malformed(f"the field at byte {at} is cut off")
        (read_value,) = binary.unpack_from("<d", data, at)
        if not math.isfinite(read_value):
            raise Malformed(f"the number at byte {at} is infinite or none")
        if read_value or zero:
            result[name] = read_value

    return handle
