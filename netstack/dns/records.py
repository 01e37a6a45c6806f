"""The data of the records that a cluster's zone has. Pure; the forms are those of RFC 1035 and RFC 2782."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import Final

from netstack.dns.message import Record, Type
from netstack.dns.names import Name, packed

_SRV: Final = struct.Struct("!HHH")
_SOA: Final = struct.Struct("!5I")
_TEXT: Final = 255
"""Bytes of one string of a TXT record."""


def a(name: Name, address: IPv4Address, ttl: int) -> Record:
    return Record(name, Type.A, ttl, address.packed)


def cname(name: Name, target: Name, ttl: int) -> Record:
    return Record(name, Type.CNAME, ttl, packed(target))


def ns(name: Name, host: Name, ttl: int) -> Record:
    return Record(name, Type.NS, ttl, packed(host))


def ptr(name: Name, target: Name, ttl: int) -> Record:
    return Record(name, Type.PTR, ttl, packed(target))


def srv(name: Name, target: Name, port: int, ttl: int, *, weight: int) -> Record:
    """Priority 0: all are equal but for their weight."""
    return Record(name, Type.SRV, ttl, _SRV.pack(0, weight, port) + packed(target))


def txt(name: Name, text: str, ttl: int) -> Record:
    content = text.encode()[:_TEXT]
    return Record(name, Type.TXT, ttl, bytes((len(content),)) + content)


def hinfo(name: Name, ttl: int) -> Record:
    """The answer to a question of type ANY (RFC 8482)."""
    return Record(name, Type.HINFO, ttl, b"\x07RFC8482\x00")


def soa(zone: Name, host: Name, mailbox: Name, *, serial: int, ttl: int) -> Record:
    """The zone's start of authority. Nobody transfers the zone, so only `ttl`, of missing names, has an effect."""
    refresh_s, retry_s, expire_s = 7200, 1800, 86400
    data = packed(host) + packed(mailbox) + _SOA.pack(serial, refresh_s, retry_s, expire_s, ttl)
    return Record(zone, Type.SOA, ttl, data)
