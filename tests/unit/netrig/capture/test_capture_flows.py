"""The pcap format, and counting packets by flow."""

from __future__ import annotations

import socket
import struct

import pytest

from netrig.capture import pcap
from netrig.capture.flows import Flow, Flows
from netrig.errors import BadCapture


def ipv4(protocol: int, source: str, destination: str, payload: bytes, *, fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(destination) + payload


def frame(kind: int, payload: bytes) -> bytes:
    return bytes(range(12)) + struct.pack("!H", kind) + payload


def tcp(source: int, destination: int, flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, 0, 0, 0x50, flags, 0, 0, 0)


def flows_of(*packets: bytes) -> list[str]:
    flows = Flows()
    for packet in packets:
        flows.add(packet, len(packet))
    return [str(flow) for flow in flows.summary().flows]


def test_a_written_file_is_read_back() -> None:
    content = pcap.header(pcap.ETHERNET, 100) + pcap.record(5, 250_000_000, b"abc", 3) + pcap.record(6, 0, b"", 9)
    assert list(pcap.read(content)) == [(5.25, b"abc"), (6.0, b"")]
    with pytest.raises(BadCapture):
        list(pcap.read(b"something else entirely, and long"))


def test_tcp_flags_are_collected() -> None:
    packets = [frame(0x0800, ipv4(6, "10.0.0.1", "10.0.0.2", tcp(4000, 80, flags))) for flags in (0x02, 0x10, 0x18)]
    assert flows_of(*packets) == ["tcp 10.0.0.1:4000 > 10.0.0.2:80 [S.P]: 3 packets, 162 B"]


def test_an_icmp_error_names_the_packet_that_caused_it() -> None:
    cause = ipv4(17, "10.0.0.1", "10.0.0.2", struct.pack("!HHHH", 5000, 53, 8, 0))
    error = frame(0x0800, ipv4(1, "10.0.0.2", "10.0.0.1", struct.pack("!BBHI", 3, 3, 0, 0) + cause))
    assert flows_of(error) == [
        "icmp error 10.0.0.2 > 10.0.0.1 port unreachable: udp 10.0.0.1:5000 > 10.0.0.2:53: 1 packets, 70 B"
    ]


def test_vlan_arp_fragments_and_unreadable_packets() -> None:
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + bytes(6) + bytes((10, 0, 0, 1)) + bytes(6) + bytes((10, 0, 0, 2))
    fragment = ipv4(17, "10.0.0.1", "10.0.0.2", b"x", fragment=100)
    assert flows_of(
        frame(0x8100, struct.pack("!HH", 5, 0x0806) + arp), frame(0x0800, fragment), frame(0x88CC, b""), b"short"
    ) == [
        "arp 10.0.0.1 > 10.0.0.2 who has: 1 packets, 46 B",
        "udp 10.0.0.1 > 10.0.0.2 fragment: 1 packets, 35 B",
        "other 06:07:08:09:0a:0b > 00:01:02:03:04:05 type 0x88cc: 1 packets, 14 B",
        "other  >  unreadable: 1 packets, 5 B",
    ]


def test_connections_to_one_service_are_merged_into_one_line() -> None:
    flows = Flows()
    for port in (4000, 4001):
        flows.add(frame(0x0800, ipv4(6, "10.0.0.1", "10.0.0.2", tcp(port, 80, 0x02))), 54)
    flows.add(frame(0x0800, ipv4(6, "10.0.0.2", "10.0.0.1", tcp(80, 4000, 0x12))), 54)
    summary = flows.summary(lost=2, left_out=1)
    assert summary.services() == (
        Flow("tcp", "10.0.0.1:*", "10.0.0.2:80", 2, 108, "S", connections=2),
        Flow("tcp", "10.0.0.2:80", "10.0.0.1:4000", 1, 54, "S."),
    )
    assert summary.text(most=1).splitlines() == [
        "3 packets, 2 lost, 1 not in the file",
        "  tcp 10.0.0.1:* > 10.0.0.2:80 [S]: 2 connections, 2 packets, 108 B",
        "  … and 1 more flows",
    ]
