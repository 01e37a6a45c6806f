"""Counts packets by flow: source, destination, number of packets, TCP flags, ICMP errors. Pure.

Parses Ethernet (with VLAN tags), ARP, IPv4, and the addresses of IPv6. Other packets are counted as "other".
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from netrig.capture.pcap import ETHERNET

_IPV4, _ARP, _VLAN, _IPV6 = 0x0800, 0x0806, 0x8100, 0x86DD
_FLAGS: Final = ((0x02, "S"), (0x10, "."), (0x08, "P"), (0x01, "F"), (0x04, "R"))
_PORTS: Final = {6: "tcp", 17: "udp", 132: "sctp"}
_ICMP_NAMES: Final = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_ICMP_ERRORS: Final = frozenset((3, 11, 12))
_UNREACHABLE: Final = {
    0: "network",
    1: "host",
    3: "port",
    4: "fragmentation needed",
    10: "host prohibited",
    13: "admin",
}
_OTHER_PROTOCOLS: Final = {2: "igmp", 4: "ipip", 47: "gre", 50: "esp", 58: "icmp6"}
_MOST_FLOWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets with the same endpoints in one direction. `flags`: all TCP flags among them, in tcpdump's notation."""

    protocol: str
    source: str
    destination: str
    packets: int
    octets: int
    flags: str = ""
    note: str = ""
    connections: int = 1
    """How many connections were merged, because they differ only in the client's port."""

    def __str__(self) -> str:
        flags = f" [{self.flags}]" if self.flags else ""
        note = f" {self.note}" if self.note else ""
        connections = f"{self.connections} connections, " if self.connections > 1 else ""
        endpoints = f"{self.protocol} {self.source} > {self.destination}{note}{flags}"
        return f"{endpoints}: {connections}{self.packets} packets, {self.octets} B"


@dataclass(frozen=True, slots=True)
class Summary:
    """The flows of a capture, the largest first."""

    flows: tuple[Flow, ...]
    packets: int
    lost: int = 0
    """Packets that the kernel dropped because its buffer was full."""
    left_out: int = 0
    """Packets that were counted but not written, because the file had reached its bound."""

    def icmp_errors(self) -> tuple[Flow, ...]:
        """The flows of ICMP errors; their notes name the error and the packet that caused it."""
        return tuple(flow for flow in self.flows if flow.protocol == "icmp error")

    def services(self) -> tuple[Flow, ...]:
        """The flows, where those that differ only in the client's port (the higher one) are merged."""
        groups: dict[_Key, list[Flow]] = {}
        for flow in self.flows:
            groups.setdefault(_without_client_port(flow), []).append(flow)
        merged = [_merge(key, flows) if len(flows) > 1 else flows[0] for key, flows in groups.items()]
        return tuple(sorted(merged, key=lambda flow: -flow.packets))

    def text(self, *, most: int = 20) -> str:
        """A line for each of the largest merged flows."""
        flows = self.services()
        lines = [f"{self.packets} packets" + _counted(self.lost, "lost") + _counted(self.left_out, "not in the file")]
        lines += [f"  {flow}" for flow in flows[:most]]
        lines += [f"  … and {len(flows) - most} more flows"] if len(flows) > most else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Key:
    protocol: str
    source: str
    destination: str
    note: str = ""


def _without_client_port(flow: Flow) -> _Key:
    if flow.protocol not in _PORTS.values() or ":" not in flow.source:
        return _Key(flow.protocol, flow.source, flow.destination, flow.note)
    source, destination = flow.source.rsplit(":", 1), flow.destination.rsplit(":", 1)
    if int(source[1]) > int(destination[1]):
        return _Key(flow.protocol, f"{source[0]}:*", flow.destination, flow.note)
    return _Key(flow.protocol, flow.source, f"{destination[0]}:*", flow.note)


def _merge(key: _Key, flows: list[Flow]) -> Flow:
    flags = "".join(letter for _, letter in _FLAGS if any(letter in flow.flags for flow in flows))
    packets, octets = sum(flow.packets for flow in flows), sum(flow.octets for flow in flows)
    return Flow(key.protocol, key.source, key.destination, packets, octets, flags, key.note, len(flows))


@dataclass(slots=True)
class Flows:
    """Counts packets in bounded memory: after 10,000 flows, all further ones are counted together."""

    link_type: int = ETHERNET
    _packets: Counter[_Key] = field(default_factory=Counter)
    _octets: Counter[_Key] = field(default_factory=Counter)
    _flags: dict[_Key, int] = field(default_factory=dict)

    def add(self, data: bytes, whole_bytes: int) -> None:
        """Count one captured packet. `data` may be truncated; `whole_bytes` is the original length."""
        try:
            key, flags = _frame(data) if self.link_type == ETHERNET else _packet(data)
        except (struct.error, IndexError, OSError):
            key, flags = _Key("other", "", "", "unreadable"), 0
        if key not in self._packets and len(self._packets) >= _MOST_FLOWS:
            key, flags = _Key("other", "", "", "further flows"), 0
        self._packets[key] += 1
        self._octets[key] += whole_bytes
        if flags:
            self._flags[key] = self._flags.get(key, 0) | flags

    def summary(self, *, lost: int = 0, left_out: int = 0) -> Summary:
        """The flows so far, with the given numbers of missing packets."""
        flows = tuple(
            Flow(
                *(key.protocol, key.source, key.destination, count, self._octets[key]),
                _flag_text(self._flags.get(key, 0)),
                key.note,
            )
            for key, count in self._packets.most_common()
        )
        return Summary(flows, self._packets.total(), lost, left_out)


def _frame(data: bytes) -> tuple[_Key, int]:
    kind, offset = struct.unpack_from("!H", data, 12)[0], 14
    while kind == _VLAN:
        kind, offset = struct.unpack_from("!H", data, offset + 2)[0], offset + 4
    if kind == _ARP:
        return _arp(data[offset:]), 0
    if kind in (_IPV4, _IPV6):
        return _packet(data[offset:])
    return _Key("other", data[6:12].hex(":"), data[:6].hex(":"), f"type 0x{kind:04x}"), 0


def _arp(data: bytes) -> _Key:
    operation = struct.unpack_from("!H", data, 6)[0]
    note = {1: "who has", 2: "is at"}.get(operation, f"operation {operation}")
    return _Key("arp", socket.inet_ntoa(data[14:18]), socket.inet_ntoa(data[24:28]), note)


def _packet(data: bytes) -> tuple[_Key, int]:
    if data[0] >> 4 == 6:
        source, destination = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
        return _Key(_protocol_name(data[6], "ip6"), source, destination), 0
    length, protocol = (data[0] & 15) * 4, data[9]
    source, destination = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    fragment = struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    if fragment:
        return _Key(_PORTS.get(protocol, _protocol_name(protocol, "ip")), source, destination, "fragment"), 0
    if protocol in _PORTS:
        ports = struct.unpack_from("!HH", data, length)
        flags = data[length + 13] if protocol == socket.IPPROTO_TCP else 0
        return _Key(_PORTS[protocol], f"{source}:{ports[0]}", f"{destination}:{ports[1]}"), flags
    if protocol == socket.IPPROTO_ICMP:
        return _icmp(data[length:], source, destination), 0
    return _Key(_protocol_name(protocol, "ip"), source, destination), 0


def _icmp(data: bytes, source: str, destination: str) -> _Key:
    kind, code = data[0], data[1]
    name = _ICMP_NAMES.get(kind, f"type {kind}")
    if kind not in _ICMP_ERRORS:
        return _Key("icmp", source, destination, name)
    if kind == 3:
        name = f"{_UNREACHABLE.get(code, f'code {code}')} {name}" if code != 4 else _UNREACHABLE[4]
    quoted, _ = _packet(data[8:])
    return _Key("icmp error", source, destination, f"{name}: {quoted.protocol} {quoted.source} > {quoted.destination}")


def _protocol_name(number: int, family: str) -> str:
    return _PORTS.get(number) or _OTHER_PROTOCOLS.get(number, f"{family} protocol {number}")


def _flag_text(flags: int) -> str:
    return "".join(letter for bit, letter in _FLAGS if flags & bit)


def _counted(number: int, label: str) -> str:
    return f", {number} {label}" if number else ""
