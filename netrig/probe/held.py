"""A TCP connection and a UDP flow that stay open while the network changes, unlike a probe.

Both talk to a Responder. Their sockets are opened inside the namespace and can be used from anywhere; they are closed
at the block's end.
"""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType
from typing import Final, Self

from netrig.probe.model import ANSWER_BYTES, KEEP, QUESTION, Answer, answer_of

_CHUNK: Final = 1 << 16


class _Held:
    """A socket that is open until the block's end."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class Connection(_Held):
    """A TCP connection whose server sends back everything. `server`: its name; `seen`: our address as it sees it."""

    def __init__(self, opened: socket.socket) -> None:
        """Raises ConnectionError or TimeoutError if no Responder answers; the socket is closed then."""
        super().__init__(opened)
        self._timeout_s = opened.gettimeout()
        try:
            opened.sendall(KEEP)
            answer = answer_of(self._line())
        except OSError:
            opened.close()
            raise
        self.server, self.seen = answer.server, answer.seen

    def echo(self, data: bytes) -> bytes:
        """Send the data and read it back. Raises ConnectionError, TimeoutError."""
        received, sent = bytearray(), 0
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        poll = select.poll()
        self.socket.setblocking(False)
        try:
            while len(received) < len(data):
                poll.register(self.socket, select.POLLIN | (select.POLLOUT if sent < len(data) else 0))
                left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
                ready = poll.poll(left_ms)
                if not ready:
                    raise TimeoutError(f"{len(received)} of {len(data)} bytes came back")
                events = ready[0][1]
                if events & ~select.POLLOUT:
                    received += self._read(len(data) - len(received))
                if events & select.POLLOUT and sent < len(data):
                    sent += self.socket.send(data[sent : sent + _CHUNK])
        finally:
            self.socket.settimeout(self._timeout_s)
        return bytes(received)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(1)
        return line

    def _read(self, most: int) -> bytes:
        chunk = self.socket.recv(most)
        if not chunk:
            raise ConnectionResetError("the other side closed the connection")
        return chunk


class Flow(_Held):
    """A UDP flow over one socket, so that all its datagrams belong to one conntrack entry."""

    def ask(self) -> Answer:
        """Send a question and read its answer. Raises OSError if it is refused, TimeoutError without an answer."""
        self.socket.send(QUESTION)
        return answer_of(self.socket.recv(ANSWER_BYTES))
