"""A container engine on a socket that has only the two documents which the preflight reads."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

DOCKER = {
    "/version": {"Version": "20.10.24", "ApiVersion": "1.41"},
    "/info": {"Driver": "vfs", "CgroupDriver": "systemd"},
}


@contextmanager
def answering(path: Path, answers: Mapping[str, Any]) -> Iterator[Path]:
    """Serves these answers on the socket during the block, and status 500 for other paths.

    An answer is a JSON value, or an HTTPStatus and a JSON value.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path)
            status = HTTPStatus.OK if answer is not None else HTTPStatus.INTERNAL_SERVER_ERROR
            if isinstance(answer, tuple):
                status, answer = answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            return

        def address_string(self) -> str:
            return ""

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()
