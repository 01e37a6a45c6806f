"""Probes in progress: a small state machine for each protocol, over a non-blocking socket.

An attempt is started, and then gets each event of its socket until it has a verdict. Time-outs and the event loop are
in engine.py.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import struct
from dataclasses import dataclass
from typing import Final

from netrig.probe.model import Outcome, Probe, Protocol, read_answer

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # no TIME_WAIT: ports would run out after 28,000 probes a minute
_IP_RECVERR: Final = 11  # ip(7): all ICMP errors, not only the few that UDP reports by default
_MOST_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 16
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")

# An error from the network is a refusal. A packet that the node's own firewall drops (EPERM) counts as silence.
_REFUSALS: Final = frozenset(
    {
        errno.EACCES,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINVAL,
        errno.EMSGSIZE,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPIPE,
        errno.EPROTO,
    }
)
_SILENCES: Final = frozenset((errno.EPERM, errno.ETIMEDOUT))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended."""

    outcome: Outcome
    detail: str = ""
    server: str = ""
    seen: str = ""
    seen_port: int = 0
    status: int = 0
    body: bytes = b""


CONNECTED: Final = Verdict(Outcome.REPLY)
SILENT: Final = Verdict(Outcome.SILENCE)


def of_error(number: int) -> Verdict:
    """The verdict for an errno. Raises OSError for one that is not about the other side (such as no free ports)."""
    if number in _REFUSALS:
        return Verdict(Outcome.REFUSED, os.strerror(number))
    if number in _SILENCES:
        return Verdict(Outcome.SILENCE, os.strerror(number))
    raise OSError(number, os.strerror(number))


class TcpAttempt:
    """Connects. With a payload, or for HTTP, it also sends a request and reads the answer."""

    __slots__ = ("_connected", "_data", "_probe", "socket")

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._connected = False
        self._data = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    def start(self) -> Verdict | int:
        """A verdict, or the events to wait for."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        _bind(self.socket, self._probe)
        target = (self._probe.address, self._probe.port)
        number = self.socket.connect_ex(target)
        if number == errno.EINPROGRESS:
            # Between namespaces of one machine, the answer has often arrived already: a second call saves the epoll.
            number = self.socket.connect_ex(target)
        if number == errno.EALREADY:
            return WRITE
        return of_error(number) if number not in (0, errno.EISCONN) else self._on_connected()

    def on_event(self) -> Verdict | int:
        """A verdict, or the events to wait for."""
        try:
            if self._connected:
                return self._read()
            number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return of_error(number) if number else self._on_connected()
        except BlockingIOError:
            return READ
        except OSError as error:
            return of_error(error.errno or 0)

    def _on_connected(self) -> Verdict | int:
        self._connected = True
        request = _request(self._probe) if self._probe.protocol is Protocol.HTTP else self._probe.payload
        if not request:
            return CONNECTED
        try:
            self.socket.send(request)  # complete, as the buffer of a new connection is empty
        except OSError as error:
            return of_error(error.errno or 0)
        return READ

    def _read(self) -> Verdict | int:
        chunk = self.socket.recv(_CHUNK)
        self._data += chunk
        ended = not chunk or len(self._data) > _MOST_BYTES
        if self._probe.protocol is Protocol.HTTP:
            return _http_verdict(self._data) if ended or _is_complete(self._data) else READ
        if ended and not self._data:
            return Verdict(Outcome.REFUSED, "closed without an answer")
        if not ended and b"\n" not in self._data:
            return READ
        return _answered(self._data)


class UdpAttempt:
    """Sends one datagram and reads one."""

    __slots__ = ("_probe", "socket")

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    def start(self) -> Verdict | int:
        """A verdict, or the events to wait for."""
        try:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            _bind(self.socket, self._probe)
            self.socket.connect((self._probe.address, self._probe.port))
            self.socket.send(self._probe.payload)
        except OSError as error:
            return of_error(error.errno or 0)
        return READ

    def on_event(self) -> Verdict | int:
        """A verdict, or the events to wait for."""
        try:
            return _answered(self.socket.recv(_CHUNK))
        except BlockingIOError:
            return READ
        except OSError as error:
            return of_error(error.errno or 0)


def _bind(bound: socket.socket, probe: Probe) -> None:
    if probe.source:
        bound.bind((probe.source, 0))


def _answered(data: bytes) -> Verdict:
    server, seen, port = read_answer(data)
    return Verdict(Outcome.REPLY, server=server, seen=seen, seen_port=port, body=data)


def _request(probe: Probe) -> bytes:
    host = f"{probe.address}:{probe.port}"
    return f"GET {probe.path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()


def _is_complete(data: bytes) -> bool:
    """Whether the answer has a length and is complete; other answers end when the other side closes."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n") if end else None
    return length is not None and len(body) >= int(length[1])


def _http_verdict(data: bytes) -> Verdict:
    status = _STATUS.match(data)
    if status is None:
        return Verdict(Outcome.REFUSED, "no HTTP answer" if data else "closed without an answer", body=data)
    body = data.partition(b"\r\n\r\n")[2]
    server, seen, port = read_answer(body)
    return Verdict(Outcome.REPLY, "", server, seen, port, int(status[1]), body)
