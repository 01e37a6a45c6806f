"""The wire format of protobuf: writes JSON-like values by tables of fields.

A table says for each key of an object which number its field has and how its value is written. This is enough to write
a document whose message types are known; nothing is read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from master.schema.protobuf.wire import BYTES, FIXED64, VARINT, to_varint

_json = msgspec.json.Encoder().encode


class Unknown(ValueError):
    """A value has a key that its table does not have."""


class Codec(Protocol):
    """How a value is written."""

    def field(self, number: int, value: Any) -> bytes:
        """The complete field, with its number."""
        ...


def delimited(number: int, payload: bytes) -> bytes:
    """A field with bytes: a text or a message."""
    return to_varint(number << 3 | BYTES) + to_varint(len(payload)) + payload


class Scalar:
    """A value that `write` turns into bytes, in this form of the wire."""

    def __init__(self, form: int, write: Callable[[Any], bytes]) -> None:
        self._form = form
        self._write = write

    def field(self, number: int, value: Any) -> bytes:
        return to_varint(number << 3 | self._form) + self._write(value)


class Text:
    """A string."""

    def field(self, number: int, value: str) -> bytes:
        return delimited(number, value.encode())


class Yaml:
    """Any value: a message whose field 2 has it as YAML, of which JSON is a part."""

    def field(self, number: int, value: Any) -> bytes:
        return delimited(number, delimited(2, _json(value)))


class Message:
    """An object with known keys. `extensions`: the field of keys that begin with `x-`.

    The fields may be added later, because messages contain themselves.
    """

    def __init__(self, *, extensions: int = 0, **fields: tuple[int, Codec]) -> None:
        self.fields: dict[str, tuple[int, Codec]] = fields
        self._extensions = extensions

    def encode(self, value: Mapping[str, Any]) -> bytes:
        """The message without its own number and length. Raises Unknown."""
        return b"".join([self._entry(key, inner) for key, inner in value.items()])

    def field(self, number: int, value: Mapping[str, Any]) -> bytes:
        return delimited(number, self.encode(value))

    def _entry(self, key: str, value: Any) -> bytes:
        if key in self.fields:
            number, codec = self.fields[key]
            return codec.field(number, value)
        if self._extensions and key.startswith("x-"):
            return EXTENSION.field(self._extensions, {key: value})
        raise Unknown(key)


class Each:
    """A list: the field is repeated."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def field(self, number: int, value: list[Any]) -> bytes:
        return b"".join([self._codec.field(number, item) for item in value])


class Named:
    """An object with any keys: a repeated message of name (1) and value (2)."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def field(self, number: int, value: Mapping[str, Any]) -> bytes:
        return b"".join([delimited(number, self._pair(name, inner)) for name, inner in value.items()])

    def _pair(self, name: str, value: Any) -> bytes:
        return delimited(1, name.encode()) + self._codec.field(2, value)


class Inside:
    """A message whose only field, of this number, has the value."""

    def __init__(self, codec: Codec, number: int = 1) -> None:
        self._codec = codec
        self._number = number

    def field(self, number: int, value: Any) -> bytes:
        return delimited(number, self._codec.field(self._number, value))


class OneOf:
    """A message with one of two fields: `second` (2) if `is_second(value)`, else `first` (1)."""

    def __init__(self, first: Codec, second: Codec, is_second: Callable[[Any], bool]) -> None:
        self._first = first
        self._second = second
        self._is_second = is_second

    def field(self, number: int, value: Any) -> bytes:
        if self._is_second(value):
            return delimited(number, self._second.field(2, value))
        return delimited(number, self._first.field(1, value))


TEXT: Final = Text()
FLAG: Final = Scalar(VARINT, lambda value: to_varint(int(value)))
COUNT: Final = Scalar(VARINT, to_varint)
DOUBLE: Final = Scalar(FIXED64, lambda value: struct.pack("<d", value))
YAML: Final = Yaml()
EXTENSION: Final = Named(YAML)
