"""The server for probes: answers on TCP, HTTP and UDP with its own name and the client's address.

Its sockets are opened inside the namespace; its thread runs outside. Clients that only connect cost it nothing, as the
kernel hands over a connection only when a question has arrived (TCP_DEFER_ACCEPT, tcp(7)).
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from netrig.probe.model import KEEP, answer_line
from netstack import namespaces

_BACKLOG: Final = 4096
_DEFER_S: Final = 1
_CHUNK: Final = 4096
_ECHO_CHUNK: Final = 1 << 16
_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BYTES: Final = 4 << 20
_MOST_PENDING_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Client:
    """An accepted connection. If it `stays`, its data is sent back; `pending`: data that is not sent back yet."""

    socket: socket.socket
    peer: tuple[str, int]
    stays: bool = False
    pending: bytearray = field(default_factory=bytearray)


class Responder:
    """Answers while the block runs, on TCP (a line, or HTTP for a GET) and on UDP with the same port."""

    def __init__(self, where: str | int | None, *, name: str, port: int, address: str = "0.0.0.0") -> None:
        """`where`: as for a Prober. `name`: one word, which clients get in the answer."""
        self._where = namespaces.of_pid(where) if isinstance(where, int) else where
        self._name = name
        self._bound = (address, port)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._tcp, self._udp = namespaces.run_in(self._where, lambda: self._open(stack))
            self._epoll = stack.enter_context(select.epoll())
            self._stop = os.eventfd(0, os.EFD_CLOEXEC)
            stack.callback(os.close, self._stop)
            for fd in (self._tcp.fileno(), self._udp.fileno(), self._stop):
                self._epoll.register(fd, select.EPOLLIN)
            self._clients: dict[int, _Client] = {}
            self._thread = threading.Thread(target=self._serve, name=f"responder-{self._name}", daemon=True)
            self._thread.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._stack.close()

    def _open(self, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
        tcp = stack.enter_context(socket.create_server(self._bound, backlog=_BACKLOG))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_S)
        tcp.setblocking(False)
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)  # a prober sends hundreds at once
        udp.bind(self._bound)
        return tcp, udp

    def _serve(self) -> None:
        try:
            while True:
                for fd, _ in self._epoll.poll():
                    if fd == self._stop:
                        return
                    # The client may have gone away in the meantime.
                    with suppress(OSError):
                        self._on_event(fd)
        finally:
            for client in self._clients.values():
                client.socket.close()

    def _on_event(self, fd: int) -> None:
        if fd == self._tcp.fileno():
            while True:
                accepted, peer = self._tcp.accept()
                accepted.setblocking(False)
                self._clients[accepted.fileno()] = _Client(accepted, peer)
                self._epoll.register(accepted.fileno(), select.EPOLLIN)
        elif fd == self._udp.fileno():
            while True:
                _, peer = self._udp.recvfrom(_CHUNK)
                with suppress(OSError):
                    self._udp.sendto(answer_line(self._name, *peer), peer)
        else:
            client = self._clients.pop(fd)
            if not client.stays:
                self._answer(client)
            if client.stays and self._echo(client):
                self._clients[fd] = client

    def _answer(self, client: _Client) -> None:
        """Answer the first question, and close the connection unless it stays."""
        try:
            question = client.socket.recv(_CHUNK)
            line = answer_line(self._name, *client.peer)
            if question.startswith(KEEP):
                client.stays, client.pending = True, bytearray(line + question[len(KEEP) :])
                return
            if question.startswith(b"GET "):
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(line)}\r\n"
                line = f"{head}Connection: close\r\n\r\n".encode() + line
            if question:
                client.socket.send(line)
        finally:
            if not client.stays:
                self._close(client)

    def _echo(self, client: _Client) -> bool:
        """Read and send back as much as possible now; False if the connection was closed."""
        try:
            if len(client.pending) < _MOST_PENDING_BYTES:
                with suppress(BlockingIOError):
                    chunk = client.socket.recv(_ECHO_CHUNK)
                    if not chunk:
                        raise ConnectionResetError
                    client.pending += chunk
            with suppress(BlockingIOError):
                while client.pending:
                    del client.pending[: client.socket.send(client.pending)]
        except OSError:
            self._close(client)
            return False
        reads = select.EPOLLIN if len(client.pending) < _MOST_PENDING_BYTES else 0
        self._epoll.modify(client.socket, reads | (select.EPOLLOUT if client.pending else 0))
        return True

    def _close(self, client: _Client) -> None:
        """Unregister before closing: a child process that is just being started may have a copy of the socket, and the
        epoll would keep reporting it."""
        self._epoll.unregister(client.socket)
        client.socket.close()
