"""HTTP over a Unix socket: any status, long paths, and nobody who listens."""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hull import unixhttp


class Handler(BaseHTTPRequestHandler):
    """Answers with the request's method and target."""

    def do_GET(self) -> None:
        body = f"{self.command} {self.path}".encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


class Server(socketserver.UnixStreamServer):
    def get_request(self) -> tuple[object, tuple[str, int]]:
        return super().get_request()[0], ("local", 0)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A socket whose path is longer than an address may be."""
    directory = tmp_path / ("directory-" * 12)
    directory.mkdir()
    descriptor = os.open(directory, os.O_PATH)
    with Server(f"/proc/self/fd/{descriptor}/socket", Handler) as server:
        os.close(descriptor)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield directory / "socket"
        server.shutdown()
        thread.join()


def test_a_response_of_any_status(path: Path) -> None:
    assert unixhttp.get(path, "/_ping", timeout_s=10) == (200, b"GET /_ping")
    assert unixhttp.get(path, "/missing", timeout_s=10) == (404, b"GET /missing")
    with unixhttp.request(path, "POST", "/rotate?name=ca", timeout_s=10) as response:
        assert (response.status, response.read()) == (200, b"POST /rotate?name=ca")


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unixhttp.get(tmp_path / "none", "/", timeout_s=10)
    with pytest.raises(FileNotFoundError):
        unixhttp.get(tmp_path / "none" / "socket", "/", timeout_s=10)
    with socketserver.UnixStreamServer(str(tmp_path / "dead"), Handler):
        pass
    with pytest.raises(ConnectionRefusedError):
        unixhttp.get(tmp_path / "dead", "/", timeout_s=10)
