"""Runs everything that needs `cryptography` in a child process: joining, and the key and request of a renewal.

The library takes 13 MB for as long as a process that has loaded it lives, and an agent needs it for milliseconds a
year. Owns the child process and its protocol: arguments and stdin in; lines of JSON out, first log records that the
parent logs as its own, then the answer. The child dies with its parent.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from agent.config import load as load_config
from agent.errors import AgentError
from agent.identity import keys
from agent.identity.errors import JoinRefused, Unreadable
from agent.identity.keys import Life

_PR_SET_PDEATHSIG: Final = 1
_ROOT: Final = Path(__file__).parents[2]


class Join:
    """A join in progress in a child process, which ends with the `with` block."""

    def __init__(self, config_path: Path, token_file: Path) -> None:
        self._process = _start("join", str(config_path), str(token_file))

    def __enter__(self) -> Join:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        with self._process:  # closes its pipes
            self._process.wait()

    def wait(self) -> None:
        """Wait until the identity is on disk. Raises JoinRefused."""
        _answer(self._process, "")


def make_request(node_name: str) -> tuple[str, str]:
    """A new key, and the certificate signing request for it; both PEM. Blocks for about 0.2 s. Raises Unreadable."""
    answer = _answer(_start("request", node_name), "")
    return answer["key"], answer["request"]


def life_of(certificate_pem: str) -> Life:
    """The certificate's validity. Blocks for about 0.2 s. Raises Unreadable."""
    answer = _answer(_start("life"), certificate_pem)
    return Life(answer["not_before"], answer["not_after"])


def certified(certificate_pem: str, *, key_pem: str, authority_pem: str, node_name: str) -> Life:
    """The same after checking that it is the node's, of that key and authority. Raises Unreadable."""
    texts = {"certificate_pem": certificate_pem, "key_pem": key_pem, "authority_pem": authority_pem}
    answer = _answer(_start("certified", node_name), json.dumps(texts))
    return Life(answer["not_before"], answer["not_after"])


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # The child runs the same code as this process, wherever that was loaded from.
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _answer(process: subprocess.Popen[str], text: str) -> dict[str, Any]:
    """The last line of the child's output; the lines before it are log records, logged as they arrive."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(text)
        process.stdin.close()
        for line in process.stdout:
            document: dict[str, Any] = json.loads(line)
            if "level" in document:
                logging.getLogger(document["logger"]).log(document["level"], "%s", document["message"])
            elif "refused" in document:
                raise JoinRefused(document["refused"])
            elif "unreadable" in document:
                raise Unreadable(document["unreadable"])
            else:
                return document
    raise Unreadable(f"the process for keys and certificates ended with status {process.returncode}")


def _perform(what: str, arguments: list[str]) -> dict[str, object]:
    match what:
        case "join":
            return _join(Path(arguments[0]), Path(arguments[1]))
        case "request":
            key = keys.make_key()
            return {"key": key, "request": keys.make_request(key, arguments[0])}
        case "life":
            life = keys.life_of(sys.stdin.read())
            return {"not_before": life.not_before, "not_after": life.not_after}
        case "certified":
            life = keys.certified(**json.loads(sys.stdin.read()), node_name=arguments[0])
            return {"not_before": life.not_before, "not_after": life.not_after}
    raise ValueError(f"unknown command {what}")


def _join(config_path: Path, token_file: Path) -> dict[str, object]:
    from agent.identity import join as joining

    logging.basicConfig(level=logging.INFO, handlers=[_Relay()])
    joining.join(load_config(config_path), joining.read_ticket(token_file), wait=True)
    return {}


class _Relay(logging.Handler):
    """Passes log records to the parent process, which logs them in its configured format."""

    def emit(self, record: logging.LogRecord) -> None:
        _print({"logger": record.name, "level": record.levelno, "message": record.getMessage()})


def _print(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _main() -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        answer = _perform(sys.argv[1], sys.argv[2:])
    except JoinRefused as error:
        answer = {"refused": str(error)}
    except (AgentError, OSError, ValueError) as error:
        answer = {"unreadable": str(error)}
    _print(answer)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
