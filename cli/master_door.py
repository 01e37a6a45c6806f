"""How commands on the master's host reach it: its data directory, and the socket in there."""

import argparse
import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cli.options import add_lab

SOCKET: Final = "control"
_CONFIG: Final = Path("/etc/sampan/master.toml")
_TIMEOUT_S: Final = 60.0


class NotRunning(Exception):
    """No master answers on that data directory."""


class Refused(Exception):
    """The master's own words."""


def add_master(parser: argparse.ArgumentParser) -> None:
    """Which master of this host."""
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="else what the configuration says")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"else {_CONFIG}, else the lab's master")
    add_lab(parser)


def data_dir(options: argparse.Namespace) -> Path:
    """Raises FileNotFoundError when nothing says where it is."""
    if options.data_dir is not None:
        return Path(options.data_dir)
    config = options.config or _CONFIG
    if os.access(config, os.R_OK):
        from master.config import load

        return load(config).data_dir
    if options.config is None:
        from lab.lab import Lab

        lab = Lab(options.lab)
        if (lab.layout.directory / "lab.json").exists():
            return lab.layout.host(lab.state.master.name).master_data
    raise FileNotFoundError(f"cannot read the master's configuration {config}; say --data-dir or --config")


class _Connection(http.client.HTTPConnection):
    """HTTP over the socket of a directory, however long its name is."""

    def __init__(self, directory: Path) -> None:
        super().__init__("master", timeout=_TIMEOUT_S)
        self._directory = directory

    def connect(self) -> None:
        opened = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(_TIMEOUT_S)
            self.sock.connect(f"/proc/self/fd/{opened}/{SOCKET}")
        finally:
            os.close(opened)


@contextmanager
def ask(directory: Path, method: str, path: str) -> Iterator[http.client.HTTPResponse]:
    """The answer, when it is good. Raises NotRunning, Refused, OSError."""
    connection = _Connection(directory)
    try:
        answer = _answer(connection, directory, method, path)
        if answer.status != 200:
            raise Refused(str(_document(answer).get("message", f"the master answered {answer.status}")))
        yield answer
    finally:
        connection.close()


def _answer(connection: "_Connection", directory: Path, method: str, path: str) -> http.client.HTTPResponse:
    try:
        connection.request(method, path)
        return connection.getresponse()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NotRunning(f"no master runs on {directory}") from error
    except PermissionError as error:
        raise PermissionError(f"{directory}: {error.strerror}") from error
    except http.client.HTTPException as error:
        raise Refused(f"the master's answer cannot be read: {error}") from error


def ask_json(directory: Path, method: str, path: str) -> dict[str, Any]:
    """The same, of an answer that is a document."""
    with ask(directory, method, path) as answer:
        return _document(answer)


def _document(answer: http.client.HTTPResponse) -> dict[str, Any]:
    try:
        found = json.loads(answer.read())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
