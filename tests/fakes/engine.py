"""An engine that only answers what it is: the two documents that the preflight asks for, on a socket."""

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
    """Serves these on the socket while it is entered; 500 to everything else. An answer may be an HTTPStatus with what
    goes with it."""

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
