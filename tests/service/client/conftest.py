"""A server on loopback that behaves like an API server: TLS with its own CA, client certificates, prepared answers."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from client.kubeconfig import Access

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Asked:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    peer: str


@dataclass
class Server:
    """`answer` computes each answer; `asked` records the requests."""

    url: str
    authority: bytes
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer] = lambda asked: (200, {}, b"{}")
    access: Access = field(default_factory=lambda: Access(""))

    def replies(self, document: Any, status: int = 200, **headers: str) -> None:
        self.answer = lambda asked: (status, headers, json.dumps(document).encode())


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(name: str, by: Pair | None = None) -> Pair:
    """A certificate for loopback and this name, signed by the CA `by`; without one, a new CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return Pair(builder.sign(by.key if by else key, hashes.SHA256()), key)


@pytest.fixture(scope="session")
def authority() -> Pair:
    return issue("test-ca")


@pytest.fixture
def server(authority: Pair, tmp_path: Path) -> Iterator[Server]:
    served, user = issue("server", authority), issue("user", authority)
    files = {"cert": served.pem, "key": served.key_pem, "ca": authority.pem}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca"))
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    context.verify_mode = ssl.CERT_OPTIONAL
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    made = Server(f"https://127.0.0.1:{http.server_address[1]}", authority.pem)
    made.access = Access(made.url, authority.pem, user.pem, user.key_pem)
    http.sampan = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    http.shutdown()
    thread.join()
    http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        made: Server = self.server.sampan  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        certificate: Any = self.connection.getpeercert() or {}  # type: ignore[attr-defined]
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        asked = Asked(self.command, self.path, body, dict(self.headers), "".join(names))
        made.asked.append(asked)
        status, headers, content = made.answer(asked)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the tests read `asked`."""
