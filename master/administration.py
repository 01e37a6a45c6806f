"""What the commands on the master's host do: ask the running master over its control socket, or read its files.

The other end of the socket is control.py. Both sides need the file permissions of the data directory and nothing else.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from hull import atomicfile, unixhttp
from hull.outfile import written

if TYPE_CHECKING:
    from master.pki.described import Described

SOCKET: Final = "control"
"""The name of the control socket in the data directory."""
_TIMEOUT_S: Final = 60.0
_CHUNK_BYTES: Final = 1 << 20

Document = dict[str, Any]


class NotRunning(Exception):
    """No master serves this data directory."""


class Refused(Exception):
    """The master refused the request. Has the master's message."""


def certificates(data_dir: Path) -> Document:
    """The certificates of the running master and its nodes, and the progress of a rotation of the CA.

    `certificates`: name, subject, issuer, notAfter and file of each. `rotating`: whether two CAs are trusted;
    `waiting`: why the old CA cannot be dropped yet, by node. Raises NotRunning, Refused, OSError.
    """
    return _ask_json(data_dir, "GET", "/certs")


def certificates_on_disk(data_dir: Path) -> Document:
    """The certificates of a master that does not run, without those of the nodes, which only its store has.

    Raises FileNotFoundError, PkiError.
    """
    from master.config import MasterConfig
    from master.pki import Pki

    if not (data_dir / "pki").is_dir():
        raise FileNotFoundError(f"{data_dir} holds no certificates: it is not a master's data directory")
    pki = Pki(MasterConfig(data_dir=data_dir), now=lambda: datetime.now(UTC))
    return {
        "certificates": [_document_of(certificate) for certificate in pki.describe()],
        "rotating": False,
        "waiting": {},
    }


def _document_of(certificate: Described) -> Document:
    return {
        "name": certificate.name,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "notAfter": certificate.not_after.isoformat(),
        "file": certificate.file,
    }


def rotate(data_dir: Path, name: str, *, finish: bool) -> str:
    """Renew a certificate, or do one step of the CA's rotation; the master's sentence about it.

    Raises NotRunning, Refused, OSError.
    """
    query = {"name": name} | ({"finish": "1"} if finish else {})
    return str(_ask_json(data_dir, "POST", f"/certs/rotate?{urlencode(query)}")["message"])


def save_backup(data_dir: Path, path: Path, *, follow_links: bool = True) -> int:
    """Write the running master's backup into a file that only its owner may read; its size in bytes.

    The file is there at the end, complete, or not at all. Without `follow_links`, a link in its place is replaced: in a
    directory of another user it could lead anywhere. Raises NotRunning, Refused, OSError.
    """
    size = 0
    target = written(path, mode=0o600) if follow_links else atomicfile.opened(path)
    with _ask(data_dir, "GET", "/backup") as response, target as file:
        expected = int(response.headers["Content-Length"])
        while chunk := response.read(_CHUNK_BYTES):
            size += file.write(chunk)
        if size != expected:
            raise OSError(f"the master's answer ended after {size} of {expected} bytes: the backup is incomplete")
    return size


@contextmanager
def _ask(data_dir: Path, method: str, target: str) -> Iterator[http.client.HTTPResponse]:
    """The response, if it is a good one."""
    with ExitStack() as stack:
        try:
            response = stack.enter_context(unixhttp.request(data_dir / SOCKET, method, target, timeout_s=_TIMEOUT_S))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NotRunning(f"no master runs on {data_dir}") from error
        except PermissionError as error:
            raise PermissionError(f"{data_dir}: {error.strerror}") from error
        except http.client.HTTPException as error:
            raise Refused(f"the master's answer cannot be read: {error}") from error
        if response.status != http.client.OK:
            raise Refused(str(_document(response).get("message", f"the master answered {response.status}")))
        yield response


def _ask_json(data_dir: Path, method: str, target: str) -> Document:
    with _ask(data_dir, method, target) as response:
        return _document(response)


def _document(response: http.client.HTTPResponse) -> Document:
    try:
        document = json.loads(response.read())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
