"""The cluster's certificates: the authority, the server's certificate, the administrator's, and those of nodes.

Owns the files under <data_dir>/pki and admin.kubeconfig, which is written last: when it is there, all others are.
Decides nothing about who may join; checks only that a request is what it claims to be. Imports nothing heavy but
`cryptography`: this runs first at start-up.

All keys are EC P-256. Files are written atomically, keys readable by the owner only.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from master.config import MasterConfig
from proto.contract import NODE_GROUP, ca_hash, node_user

ADMIN_USER = "sampan-admin"
ADMIN_GROUP = "system:masters"
_CA_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=365)
# A certificate is made anew when less than this is left of it.
RENEW_BEFORE = timedelta(days=60)
# Clocks differ, and are set back: an authority that is not valid yet would end all conversation.
_BACKDATE = timedelta(days=1)


_RESTORE = "restore the pki directory from a copy: without its authority every node has to join again"


class PkiError(Exception):
    """The files cannot be used; the message names the file."""


class CsrRefused(PkiError):
    """A certificate signing request is not what a node may ask for."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Pki:
    """The cluster's certificate authority and what it has issued."""

    def __init__(self, config: MasterConfig) -> None:
        self._config = config
        self._directory = config.data_dir / "pki"
        self.authority = self._pair("ca")
        self.server = self._pair("server")
        self.admin = self._pair("admin")
        self.kubeconfig = config.data_dir / "admin.kubeconfig"

    @classmethod
    def prepare(cls, config: MasterConfig) -> Pki:
        """Makes what is missing or near its end; everything is in place when this returns."""
        pki = cls(config)
        pki._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki._load_authority()
        pki.renew(datetime.now(UTC))
        return pki

    def _pair(self, name: str) -> KeyPair:
        return KeyPair(self._directory / f"{name}.crt", self._directory / f"{name}.key")

    # -- the authority --------------------------------------------------------------------------------------------

    def _load_authority(self) -> None:
        if self.authority.key.exists():
            self._key = _read_key(self.authority.key)
        elif self.authority.certificate.exists():
            raise PkiError(f"{self.authority.key}: missing beside its certificate; {_RESTORE}")
        else:
            _not_dangling(self.authority.key)
            self._key = _make_key(self.authority.key)
        if self.authority.certificate.exists():
            self._certificate = _read_certificate(self.authority.certificate)
        else:
            _not_dangling(self.authority.certificate)
            self._certificate = self._make_authority()
            _write(self.authority.certificate, _pem(self._certificate), mode=0o644)
        if self._certificate.public_key() != self._key.public_key():
            raise PkiError(f"{self.authority.certificate}: not of the key {self.authority.key.name}; {_RESTORE}")
        try:
            self._certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise PkiError(f"{self.authority.certificate}: damaged, or not signed by itself; {_RESTORE}") from error
        self.ca_pem = _pem(self._certificate)
        self.ca_hash = ca_hash(
            self._certificate.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def _make_authority(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self._config.cluster_name}-ca")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            _builder(name, name, self._key.public_key(), self._key.public_key(), _CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _issue(
        self,
        user: str,
        group: str,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        *,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = (
            _builder(x509.Name(parts), self._certificate.subject, key, self._key.public_key(), _LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    # -- what the master itself needs -----------------------------------------------------------------------------

    def renew(self, now: datetime) -> bool:
        """Makes the server's and the administrator's certificate when missing, near the end or of other names.

        True when the server's is new: whoever serves with it loads it again.
        """
        names = self._server_names()
        fresh = not self._usable(self.server, now, names)
        if fresh:
            self._make_pair(self.server, "sampan-master", "", ExtendedKeyUsageOID.SERVER_AUTH, names)
        if not self._usable(self.admin, now, []):
            self._make_pair(self.admin, ADMIN_USER, ADMIN_GROUP, ExtendedKeyUsageOID.CLIENT_AUTH, [])
        self._write_kubeconfig()
        return fresh

    def _make_pair(
        self, pair: KeyPair, user: str, group: str, usage: x509.ObjectIdentifier, names: Sequence[x509.GeneralName]
    ) -> None:
        key = _make_key(pair.key)
        _write(pair.certificate, _pem(self._issue(user, group, key.public_key(), usage=usage, names=names)), mode=0o644)

    def _usable(self, pair: KeyPair, now: datetime, names: list[x509.GeneralName]) -> bool:
        """Whether the pair is whole, ours, good for a while and of these names."""
        try:
            certificate, key = _read_certificate(pair.certificate), _read_key(pair.key)
            certificate.verify_directly_issued_by(self._certificate)
        except (PkiError, ValueError, TypeError, InvalidSignature):
            return False
        if certificate.public_key() != key.public_key() or certificate.not_valid_after_utc < now + RENEW_BEFORE:
            return False
        if not names:
            return True
        try:
            has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        return set(has) == set(names)

    def _server_names(self) -> list[x509.GeneralName]:
        """Every name and address that the master is reached by."""
        first_service_ip = str(ipaddress.IPv4Network(self._config.service_cidr)[1])
        wanted = ["localhost", "127.0.0.1", "::1", socket.gethostname(), first_service_ip]
        wanted += ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        wanted += self._config.advertise_addresses
        if self._config.listen_address not in ("0.0.0.0", "::"):
            wanted.append(self._config.listen_address)
        names: dict[x509.GeneralName, None] = {}
        for text in wanted:
            with contextlib.suppress(ValueError):
                names[x509.IPAddress(ipaddress.ip_address(text))] = None
                continue
            names[x509.DNSName(text)] = None
        return list(names)

    def _write_kubeconfig(self) -> None:
        text = _KUBECONFIG.format(
            cluster=self._config.cluster_name,
            user=ADMIN_USER,
            server=f"https://{_bracketed(self._config.address)}:{self._config.api_port}",
            ca=_base64(self.ca_pem),
            certificate=_base64(self.admin.certificate.read_bytes()),
            key=_base64(self.admin.key.read_bytes()),
        )
        if not self.kubeconfig.is_file() or self.kubeconfig.read_bytes() != text.encode():
            _write(self.kubeconfig, text.encode(), mode=0o600)

    def server_context(self) -> ssl.SSLContext:
        """For the REST API: a client certificate is asked for, not demanded, and must be ours when it comes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server.certificate, self.server.key)
        context.load_verify_locations(cadata=self.ca_pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # -- nodes ----------------------------------------------------------------------------------------------------

    def sign_node(self, csr_pem: str, node_name: str) -> str:
        """The certificate (PEM) for a node; CsrRefused unless the request is well-formed and for this very name."""
        try:
            request = x509.load_pem_x509_csr(csr_pem.encode())
            # Each is read only when it is asked for.
            signed, key, _ = request.is_signature_valid, request.public_key(), list(request.subject)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CsrRefused(f"the certificate signing request cannot be read: {error}") from error
        if not signed:
            raise CsrRefused("the certificate signing request is not signed by its own key")
        said = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if said != [node_user(node_name)]:
            raise CsrRefused(f"the request's common name is {said}, expected {node_user(node_name)!r}")
        groups = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        if groups != [NODE_GROUP]:
            raise CsrRefused(f"the request's organization is {groups}, expected {NODE_GROUP!r}")
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256:
            pass
        elif not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048):
            raise CsrRefused("the request's key is neither EC of 256 bits or more nor RSA of 2048 bits or more")
        issued = self._issue(node_user(node_name), NODE_GROUP, key, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        return _pem(issued).decode()


_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {user}
current-context: {cluster}
"""


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    signer: ec.EllipticCurvePublicKey,
    life: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, pem, mode=0o600)
    return key


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise PkiError(f"{path}: {error.strerror}; {_RESTORE}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(f"{path}: no private key in PEM; {_RESTORE}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{path}: not an EC key; {_RESTORE}")
    return key


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.public_key()  # read only now
    except OSError as error:
        raise PkiError(f"{path}: {error.strerror}; {_RESTORE}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(f"{path}: no certificate in PEM; {_RESTORE}") from error
    return certificate


def _not_dangling(path: Path) -> None:
    """A link that leads nowhere is no missing file: what it should lead to is elsewhere, and must not be made anew."""
    if path.is_symlink():
        raise PkiError(f"{path}: a symbolic link that leads nowhere; {_RESTORE}")


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """All of the file or none of it, also across a crash."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        partial.replace(path)
    except OSError as error:
        partial.unlink()
        raise PkiError(f"{path}: {error.strerror}; remove it, and it is made anew") from error
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
