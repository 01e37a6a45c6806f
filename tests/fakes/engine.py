"""An engine that only answers what it is: the two documents that the preflight asks for, on a socket."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

DOCKER = {
    "/version": {"Version": "20.10.24", "ApiVersion": "1.41"},
    "/info": {"Driver": "vfs", "CgroupDriver": "systemd"},
}


@contextmanager
def answering(path: Path, answers: Mapping[str, Any]) -> Iterator[Path]:
    """Serves these on the socket while it is entered; 500 to everything else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path)
            self.send_response(200 if answer is not None else 500)
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
