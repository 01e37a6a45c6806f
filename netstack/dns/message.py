"""DNS messages: bytes in, values out, and back (RFC 1035, section 4; EDNS: RFC 6891).

Pure, without sockets. `decode` raises Malformed for bytes that are not a message; it raises nothing else. Names in the
data of records are read without compression, so that a record means the same in another message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from netstack.dns.names import Malformed, Name, packed, read_name, write_name

IN: Final = 1
PLAIN_BYTES: Final = 512
"""Largest message over UDP to a client that does not say more by EDNS."""
MAX_BYTES: Final = 65535
"""Largest message over TCP."""

_HEADER: Final = struct.Struct("!6H")
_FIXED: Final = struct.Struct("!HHIH")
_QUESTION: Final = struct.Struct("!HH")
_OPT_BYTES: Final = 11
_DO: Final = 0x8000


class Type(IntEnum):
    """Types of records that this package reads or makes."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    IXFR = 251
    AXFR = 252
    ANY = 255


class Rcode(IntEnum):
    """Codes of responses that this package reads or makes."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks."""

    name: Name
    type: int
    klass: int = IN


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record; `ttl` in seconds, `data` as in a message without compression."""

    name: Name
    type: int
    ttl: int
    data: bytes
    klass: int = IN


@dataclass(frozen=True, slots=True)
class Edns:
    """The OPT record: the largest datagram that its sender takes, in bytes. Options are not kept."""

    size: int
    version: int = 0
    dnssec: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A query or a response."""

    id: int
    questions: tuple[Question, ...] = ()
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()
    """Without the OPT record, which is `edns`."""
    response: bool = False
    opcode: int = 0
    authoritative: bool = False
    truncated: bool = False
    recursion_desired: bool = False
    recursion_available: bool = False
    authentic: bool = False
    checking_disabled: bool = False
    rcode: int = 0
    """Of a message without EDNS, at most 15."""
    edns: Edns | None = None


def decode(data: bytes) -> Message:
    """The message in these bytes; what follows it is ignored. Raises Malformed."""
    if len(data) < _HEADER.size:
        raise Malformed("shorter than a header")
    ident, flags, *counts = _HEADER.unpack_from(data)
    if counts[0] > 1:
        raise Malformed("more than one question")  # RFC 9619
    at = _HEADER.size
    questions: list[Question] = []
    for _ in range(counts[0]):
        name, at = read_name(data, at)
        questions.append(Question(name, *_unpacked(_QUESTION, data, at)))
        at += _QUESTION.size
    sections: list[tuple[Record, ...]] = []
    for count in counts[1:]:
        records, at = _records(data, at, count)
        sections.append(records)
    edns, rcode = _edns(sections[2], flags & 0xF)
    return Message(
        id=ident,
        questions=tuple(questions),
        answers=sections[0],
        authorities=sections[1],
        additionals=tuple(record for record in sections[2] if record.type != Type.OPT),
        response=bool(flags & 0x8000),
        opcode=flags >> 11 & 0xF,
        authoritative=bool(flags & 0x0400),
        truncated=bool(flags & 0x0200),
        recursion_desired=bool(flags & 0x0100),
        recursion_available=bool(flags & 0x0080),
        authentic=bool(flags & 0x0020),
        checking_disabled=bool(flags & 0x0010),
        rcode=rcode,
        edns=edns,
    )


def encode(message: Message, limit: int = MAX_BYTES) -> bytes:
    """The message in at most `limit` bytes, of which header, question and OPT record always fit.

    Records that do not fit are left out: additional ones silently, others with the mark that the message is truncated.
    """
    out = bytearray(_HEADER.size)
    known: dict[Name, int] = {}
    for question in message.questions:
        write_name(out, question.name, known)
        out += _QUESTION.pack(question.type, question.klass)
    room = limit - (_OPT_BYTES if message.edns else 0)
    answers = _write(out, message.answers, known, room)
    complete = answers == len(message.answers)
    authorities = _write(out, message.authorities, known, room) if complete else 0
    complete = complete and authorities == len(message.authorities)
    additionals = _write(out, message.additionals, known, room) if complete else 0
    if message.edns is not None:
        out += _opt(message.edns, message.rcode)
        additionals += 1
    flags = _flags(message, truncated=message.truncated or not complete)
    _HEADER.pack_into(out, 0, message.id, flags, len(message.questions), answers, authorities, additionals)
    return bytes(out)


def _flags(message: Message, *, truncated: bool) -> int:
    return (
        message.response << 15
        | message.opcode << 11
        | message.authoritative << 10
        | truncated << 9
        | message.recursion_desired << 8
        | message.recursion_available << 7
        | message.authentic << 5
        | message.checking_disabled << 4
        | message.rcode & 0xF
    )


def _write(out: bytearray, records: Iterable[Record], known: dict[Name, int], room: int) -> int:
    """Append the records that fit; returns their number."""
    written = 0
    for record in records:
        before = len(out)
        write_name(out, record.name, known)
        out += _FIXED.pack(record.type, record.klass, record.ttl, len(record.data)) + record.data
        if len(out) > room:
            del out[before:]
            break  # nothing is written after this, so names that went with it are not referred to
        written += 1
    return written


def _records(data: bytes, at: int, count: int) -> tuple[tuple[Record, ...], int]:
    records: list[Record] = []
    for _ in range(count):
        name, at = read_name(data, at)
        kind, klass, ttl, size = _unpacked(_FIXED, data, at)
        at += _FIXED.size
        if at + size > len(data):
            raise Malformed("the data of a record goes beyond the message")
        records.append(Record(name, kind, ttl, _plain(kind, data, at, at + size), klass))
        at += size
    return tuple(records), at


def _unpacked(form: struct.Struct, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return form.unpack_from(data, at)
    except struct.error:
        raise Malformed("a record goes beyond the message") from None


def _edns(additionals: Iterable[Record], rcode: int) -> tuple[Edns | None, int]:
    """The OPT record, and the response's code, of which that has the upper bits."""
    options = [record for record in additionals if record.type == Type.OPT]
    if not options:
        return None, rcode
    if len(options) > 1 or options[0].name:
        raise Malformed("more than one OPT record, or one with a name")
    klass, ttl = options[0].klass, options[0].ttl
    return Edns(klass, version=ttl >> 16 & 0xFF, dnssec=bool(ttl & _DO)), ttl >> 24 << 4 | rcode


def _opt(edns: Edns, rcode: int) -> bytes:
    ttl = rcode >> 4 << 24 | edns.version << 16 | (_DO if edns.dnssec else 0)
    return b"\0" + _FIXED.pack(Type.OPT, edns.size, ttl, 0)


def _plain(kind: int, data: bytes, start: int, end: int) -> bytes:
    """The data of a record, with the names in it uncompressed."""
    read = _WITH_NAMES.get(kind)
    return data[start:end] if read is None else read(data, start, end)


def _names(before: int, count: int, after: int) -> Callable[[bytes, int, int], bytes]:
    """Reads data of so many bytes, names and bytes."""

    def read(data: bytes, start: int, end: int) -> bytes:
        at = start + before
        parts = [data[start:at]]
        for _ in range(count):
            name, at = read_name(data, at)
            parts.append(packed(name))
        if at + after != end:
            raise Malformed("the data of a record has the wrong length")
        return b"".join((*parts, data[at:end]))

    return read


_WITH_NAMES: Final[dict[int, Callable[[bytes, int, int], bytes]]] = {
    Type.NS: _names(0, 1, 0),
    Type.CNAME: _names(0, 1, 0),
    Type.PTR: _names(0, 1, 0),
    Type.MX: _names(2, 1, 0),
    Type.SRV: _names(6, 1, 0),
    Type.SOA: _names(0, 2, 20),
}
