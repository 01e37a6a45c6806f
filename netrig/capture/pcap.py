"""The classic pcap file format (draft-ietf-opsawg-pcap) with nanoseconds, which tcpdump and Wireshark read. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from netrig.errors import BadCapture

ETHERNET: Final = 1
RAW_IP: Final = 101
RECORD_HEADER_BYTES: Final = 16

_MAGIC_NANOSECONDS: Final = 0xA1B23C4D
_HEADER: Final = struct.Struct("=IHHiIII")
_RECORD: Final = struct.Struct("=IIII")


def header(link_type: int, snap_bytes: int) -> bytes:
    """The header of a file."""
    return _HEADER.pack(_MAGIC_NANOSECONDS, 2, 4, 0, 0, snap_bytes, link_type)


def record(seconds: int, nanoseconds: int, data: bytes, whole_bytes: int) -> bytes:
    """The record of one packet. `data`: its captured part; `whole_bytes`: its original length."""
    return _RECORD.pack(seconds, nanoseconds, len(data), whole_bytes) + data


def read(content: bytes) -> Iterator[tuple[float, bytes]]:
    """Time and data of each packet in a file of this module's format. Raises BadCapture."""
    if len(content) < _HEADER.size or _HEADER.unpack_from(content)[0] != _MAGIC_NANOSECONDS:
        raise BadCapture("not a pcap file with nanoseconds of this machine's byte order")
    offset = _HEADER.size
    while offset + _RECORD.size <= len(content):
        seconds, nanoseconds, captured, _ = _RECORD.unpack_from(content, offset)
        offset += _RECORD.size
        yield seconds + nanoseconds / 1e9, content[offset : offset + captured]
        offset += captured
