"""Domain names: labels of bytes, their text and their form in a message (RFC 1035, sections 3.1 and 4.1.4).

Pure. A name is a tuple of labels without the root's empty one, so the root is `()`. Names keep the case in which they
came; `folded` makes them comparable.
"""

from __future__ import annotations

from typing import Final

Name = tuple[bytes, ...]

MAX_NAME: Final = 255
"""Bytes of a name in a message, with the length of each label and the root."""
MAX_LABEL: Final = 63
_POINTER: Final = 0xC0
_MAX_POINTERS: Final = 126
"""In one name: it has at most 127 labels."""
_LAST_TARGET: Final = 0x3FFF
"""A pointer has 14 bits."""


class Malformed(ValueError):
    """The bytes are no DNS message. The text says which part is wrong."""


def name_of(text: str) -> Name:
    """The name that a text such as `web.default.svc` means; a final dot changes nothing. Raises ValueError."""
    text = text.removesuffix(".")
    name = tuple(label.encode("ascii") for label in text.split(".")) if text else ()
    if any(not 0 < len(label) <= MAX_LABEL for label in name) or length(name) > MAX_NAME:
        raise ValueError(f"{text[:80]!r} is not a domain name")
    return name


def text_of(name: Name) -> str:
    """The name as text with the final dot, for people. Unusual bytes are escaped as in zone files (`\\032`)."""
    return "".join(_label_text(label) + "." for label in name) or "."


def folded(name: Name) -> Name:
    """The name in lower case: DNS compares ASCII letters without case (RFC 4343)."""
    return tuple(label.lower() for label in name)


def length(name: Name) -> int:
    """Bytes of the name in a message."""
    return sum(map(len, name)) + len(name) + 1


def read_name(data: bytes, at: int) -> tuple[Name, int]:
    """The name at this offset, and the offset after it. Raises Malformed.

    A pointer must lead to before the labels that it continues, so that every chain of pointers ends, and soon.
    """
    labels: list[bytes] = []
    size, after, first, pointers = 1, 0, at, 0
    while True:
        if at >= len(data):
            raise Malformed("a name goes beyond the message")
        count = data[at]
        if count == 0:
            return tuple(labels), after or at + 1
        if count & _POINTER == _POINTER:
            if at + 1 >= len(data):
                raise Malformed("a pointer goes beyond the message")
            target = (count & ~_POINTER) << 8 | data[at + 1]
            pointers += 1
            if target >= first or pointers > _MAX_POINTERS:
                raise Malformed("a pointer does not lead back, or to too many others")
            after = after or at + 2
            at = first = target
            continue
        if count & _POINTER:
            raise Malformed("a label of an unknown type")
        label = data[at + 1 : at + 1 + count]
        size += count + 1
        if len(label) < count or size > MAX_NAME:
            raise Malformed("a name is too long")
        labels.append(label)
        at += 1 + count


def packed(name: Name) -> bytes:
    """The name without compression."""
    return b"".join(bytes((len(label),)) + label for label in name) + b"\0"


def write_name(out: bytearray, name: Name, known: dict[Name, int]) -> None:
    """Append the name, compressed by the names that the message has already (`known`: their offsets).

    Only names of the same case are shared: clients that check the case of their question depend on it.
    """
    for index in range(len(name)):
        rest = name[index:]
        if (target := known.get(rest)) is not None:
            out += (_POINTER << 8 | target).to_bytes(2)
            return
        if len(out) <= _LAST_TARGET:
            known[rest] = len(out)
        out.append(len(name[index]))
        out += name[index]
    out.append(0)


def _label_text(label: bytes) -> str:
    return "".join(chr(byte) if 33 <= byte < 127 and byte not in b".\\" else f"\\{byte:03d}" for byte in label)
