"""What a probe does not show: a connection that stays open, and a UDP flow that goes on, while the network changes.

Both speak with a Responder. Their sockets are opened inside the namespace and used from anywhere; they are closed at
the block's end.
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
    """An open socket until the block's end."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class Connection(_Held):
    """A TCP connection. `server` answered first, and saw us come from `seen`; from then on it sends back everything."""

    def __init__(self, opened: socket.socket) -> None:
        """Raises ConnectionError or TimeoutError, and closes the socket, when no Responder answers."""
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
        """Send all of it and read as much back. Raises ConnectionError, TimeoutError."""
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
    """A UDP flow: one socket, so that the kernel takes all of it for one conversation."""

    def ask(self) -> Answer:
        """One question and its answer. Raises OSError: refused, or (TimeoutError) silence."""
        self.socket.send(QUESTION)
        return answer_of(self.socket.recv(ANSWER_BYTES))
