"""HTTP requests over a Unix socket: to a container engine, and to the master's control socket.

Standard library only, and one connection a request: an SDK's import would cost more than the answer.
"""

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


class _Connection(http.client.HTTPConnection):
    """`path` may be longer than the 107 bytes of a socket's address: the directory is opened first."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)


@contextmanager
def request(path: Path, method: str, target: str, *, timeout_s: float) -> Iterator[http.client.HTTPResponse]:
    """The response, of any status; its body is read inside the block. `timeout_s` bounds each wait for the socket.

    Raises OSError (FileNotFoundError and ConnectionRefusedError where nothing listens) and http.client.HTTPException.
    """
    with closing(_Connection(path, timeout_s=timeout_s)) as connection:
        connection.request(method, target)
        yield connection.getresponse()


def get(path: Path, target: str, *, timeout_s: float) -> tuple[int, bytes]:
    """Status and body. Raises OSError, http.client.HTTPException."""
    with request(path, "GET", target, timeout_s=timeout_s) as response:
        return response.status, response.read()
