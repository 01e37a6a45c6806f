"""Real packets between namespaces: small servers and clients whose sockets are opened inside a namespace.

Servers run on threads of the test process; a socket stays in the namespace that it was opened in.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

from netstack import namespaces

TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Answer:
    """Who answered, and the client's address as the server saw it."""

    server: str
    client: str


@contextmanager
def serving(where: str, name: str, port: int) -> Iterator[None]:
    """A TCP server in the namespace: tells its name and the client's address, then echoes."""
    listener = namespaces.run_in(where, lambda: socket.create_server(("0.0.0.0", port), backlog=64))
    thread = threading.Thread(target=_accept, args=(listener, name), daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@contextmanager
def serving_udp(where: str, name: str, port: int) -> Iterator[None]:
    """A UDP server that answers each datagram with its name and the sender's address; "stop" ends it."""

    def bind() -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("0.0.0.0", port))
        return bound

    def loop() -> None:
        while True:
            data, address = bound.recvfrom(100)
            if data == b"stop":
                return
            bound.sendto(f"{name} {address[0]}\n".encode(), address)

    bound = namespaces.run_in(where, bind)
    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with namespaces.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stopper:
            stopper.sendto(b"stop", ("127.0.0.1", port))
        thread.join()
        bound.close()


def connect(where: str, address: IPv4Address | str, port: int) -> socket.socket:
    """A connected TCP socket of the namespace. Raises as connect() does, at the latest after TIMEOUT_S."""

    def open_it() -> socket.socket:
        return socket.create_connection((str(address), port), timeout=TIMEOUT_S)

    return namespaces.run_in(where, open_it)


def ask(where: str, address: IPv4Address | str, port: int) -> Answer:
    """Connect and read the server's first line."""
    with connect(where, address, port) as connection:
        return read_answer(connection)


def ask_udp(where: str, address: IPv4Address | str, port: int) -> Answer:
    with namespaces.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.settimeout(TIMEOUT_S)
        sender.sendto(b"hello", (str(address), port))
        server, client = sender.recv(200).decode().split()
        return Answer(server, client)


def read_answer(connection: socket.socket) -> Answer:
    line = b""
    while not line.endswith(b"\n"):
        chunk = connection.recv(1)
        assert chunk, "the server closed the connection before its first line"
        line += chunk
    server, client = line.decode().split()
    return Answer(server, client)


def echo(connection: socket.socket, data: bytes) -> bytes:
    """Send all of it, read as much back."""
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    received = bytearray()
    while len(received) < len(data):
        chunk = connection.recv(1 << 16)
        assert chunk, "the server closed the connection in the middle of the echo"
        received += chunk
    sender.join()
    return bytes(received)


def _accept(listener: socket.socket, name: str) -> None:
    while True:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, name, address[0]), daemon=True).start()


def _answer(connection: socket.socket, name: str, client: str) -> None:
    with connection:
        try:
            connection.sendall(f"{name} {client}\n".encode())
            while chunk := connection.recv(1 << 16):
                connection.sendall(chunk)
        except OSError:
            return  # the client went away
