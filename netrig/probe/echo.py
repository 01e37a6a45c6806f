"""ICMP echo: many requests over one raw socket, distinguished by identifier and sequence number (RFC 792)."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

from netrig.probe.attempts import CONNECTED, Verdict, of_error
from netrig.probe.model import Outcome, Probe

_ECHO_REPLY, _UNREACHABLE, _ECHO, _TIME_EXCEEDED = 0, 3, 8, 11
_CHUNK: Final = 1 << 16
_MOST: Final = 1 << 16
_UNREACHABLE_CODES: Final = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    9: "network prohibited",
    10: "host prohibited",
    13: "administratively prohibited",
}


class Echo:
    """The socket of one run. The caller numbers the requests; at most 65,536 may be in progress at a time."""

    def __init__(self) -> None:
        self.socket = socket.socket(
            socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMP
        )
        self._identifier = int.from_bytes(os.urandom(2), "big")

    def send(self, probe: Probe, number: int) -> Verdict | None:
        """Send a request; a verdict if it could not be sent."""
        try:
            self.socket.sendto(request(self._identifier, number % _MOST, probe.payload), (probe.address, 0))
        except OSError as error:
            return of_error(error.errno or 0)
        return None

    def receive(self) -> list[tuple[int, Verdict]]:
        """Read the packets that have arrived; numbers and verdicts of the answered requests."""
        answers: list[tuple[int, Verdict]] = []
        while True:
            try:
                packet = self.socket.recv(_CHUNK)
            except BlockingIOError:
                return answers
            except OSError as error:
                of_error(error.errno or 0)  # raises errors that are not about a packet of ours
                continue
            answer = read(packet, self._identifier)
            if answer is not None:
                answers.append(answer)


def request(identifier: int, number: int, payload: bytes) -> bytes:
    """An echo request with its checksum."""
    body = struct.pack("!HH", identifier, number) + payload
    return struct.pack("!BBH", _ECHO, 0, checksum(struct.pack("!BBH", _ECHO, 0, 0) + body)) + body


def read(packet: bytes, identifier: int) -> tuple[int, Verdict] | None:
    """Number and verdict of an IP packet that answers one of our requests; None for other packets."""
    offset = (packet[0] & 15) * 4
    if len(packet) < offset + 8:
        return None
    kind, code, _, its_identifier, number = struct.unpack_from("!BBHHH", packet, offset)
    if kind == _ECHO_REPLY:
        return (number, CONNECTED) if its_identifier == identifier else None
    if kind not in (_UNREACHABLE, _TIME_EXCEEDED):
        return None
    inner = offset + 8
    if len(packet) < inner + 28:
        return None
    quoted = inner + (packet[inner] & 15) * 4
    if packet[inner + 9] != socket.IPPROTO_ICMP or len(packet) < quoted + 8:
        return None
    its_kind, _, _, its_identifier, number = struct.unpack_from("!BBHHH", packet, quoted)
    if its_kind != _ECHO or its_identifier != identifier:
        return None
    reason = "time exceeded" if kind == _TIME_EXCEEDED else _UNREACHABLE_CODES.get(code, f"unreachable, code {code}")
    sender = socket.inet_ntoa(packet[12:16])
    return number, Verdict(Outcome.REFUSED, f"{reason}, says {sender}")


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
