"""The cluster's certificates: the certificate authority, and the certificates of the server, the administrator and
nodes.

Owns the files under <data_dir>/pki and admin.kubeconfig. The kubeconfig is written last: if it exists, all others do.
Does not decide which node may join; only checks that a signing request matches the node's name. Imports no other large
library than `cryptography`, because this runs first at start-up.

During a rotation there are two CAs, and both are trusted. `ca`, which all nodes know, signs the server's certificate;
`ca-next` signs the clients' certificates. When all nodes trust both and have a certificate of the new CA, `ca-next`
replaces `ca`. Nodes learn over their session which CAs to trust, before the server's certificate changes.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from hull import atomicfile
from master.config import MasterConfig
from master.pki.authority import Authority
from master.pki.described import Described, described
from master.pki.errors import PkiError, RotationRefused
from master.pki.files import RESTORE, KeyPair, make_key, not_dangling, pem, read_certificate, read_key, write
from master.pki.kubeconfig import kubeconfig
from master.pki.requests import requested_key
from proto.contract import NODE_GROUP, node_user

ADMIN_USER: Final = "sampan-admin"
ADMIN_GROUP: Final = "system:masters"
SERVER_USER: Final = "sampan-master"
RENEW_BEFORE: Final = timedelta(days=60)
"""A certificate is renewed when it expires within this time."""

Leaf = Literal["server", "admin"]


class Pki:
    """The cluster's CA (two during a rotation), the certificates in files, and the signing of nodes' certificates."""

    def __init__(self, config: MasterConfig, *, now: Callable[[], datetime]) -> None:
        self.config = config
        self.generation = 0
        """Counts the changes of the server's certificate and the trusted CAs. Servers compare it at each handshake."""
        self._now = now
        self._directory = config.data_dir / "pki"
        self.authority = self._pair("ca")
        self.next_authority = self._pair("ca-next")
        self.server = self._pair("server")
        self.admin = self._pair("admin")
        self.kubeconfig = config.data_dir / "admin.kubeconfig"
        self._token_key = self._directory / "service-accounts.key"
        self._current: Authority
        self._next: Authority | None = None

    @classmethod
    def prepare(cls, config: MasterConfig, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Pki:
        """Creates certificates that are missing and renews those that expire soon. Afterwards all files exist.

        Raises PkiError, OSError.
        """
        pki = cls(config, now=now)
        pki._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki._load_authorities()
        if not pki._token_key.exists():
            not_dangling(pki._token_key)
            make_key(pki._token_key)
        pki.renew(now())
        return pki

    def _pair(self, name: str) -> KeyPair:
        return KeyPair(self._directory / f"{name}.crt", self._directory / f"{name}.key")

    # -- the authority --------------------------------------------------------------------------------------------

    def _load_authorities(self) -> None:
        if self.next_authority.certificate.exists() and not self.next_authority.key.exists():
            waiting = read_certificate(self.next_authority.certificate)
            if read_key(self.authority.key).public_key() != waiting.public_key():
                raise PkiError(f"{self.next_authority.key}: missing beside its certificate; {RESTORE}")
            self._replace_authority()  # the last step of a rotation was interrupted
        if self.authority.certificate.exists() and not self.authority.key.exists():
            raise PkiError(f"{self.authority.key}: missing beside its certificate; {RESTORE}")
        if self.authority.certificate.exists():
            self._current = Authority.load(self.authority)
        else:
            self._current = Authority.make(self.authority, f"{self.config.cluster_name}-ca", self._now())
        if self.next_authority.certificate.exists():
            self._next = Authority.load(self.next_authority)

    @property
    def ca_pem(self) -> bytes:
        """All trusted CAs. The CA of the server's certificate comes first."""
        return b"".join(authority.pem for authority in self.authorities)

    @property
    def authorities(self) -> list[Authority]:
        """The trusted CAs: one, or two during a rotation. The CA of the server's certificate comes first."""
        return [self._current] if self._next is None else [self._current, self._next]

    @property
    def ca_hash(self) -> str:
        """The hash for join commands: of the CA of the server's certificate."""
        return self._current.hash

    @property
    def ca_hashes(self) -> list[str]:
        """The hashes of all trusted CAs."""
        return [authority.hash for authority in self.authorities]

    @property
    def signer(self) -> Authority:
        """The CA that signs clients' certificates."""
        return self._next or self._current

    @property
    def trusted(self) -> list[str]:
        """The fingerprints of all trusted CAs."""
        return [authority.fingerprint for authority in self.authorities]

    @property
    def rotating(self) -> bool:
        """Whether a new CA is trusted beside the CA of the server's certificate."""
        return self._next is not None

    def begin_rotation(self) -> None:
        """Creates a new CA, which is trusted beside the old one from now on.

        Raises RotationRefused when a rotation is in progress already.
        """
        if self.rotating:
            raise RotationRefused(
                "a rotation of the CA is in progress already; `sampan certs` shows its state, "
                "`sampan certs rotate ca --finish` ends it"
            )
        now = self._now()
        self._next = Authority.make(self.next_authority, f"{self.config.cluster_name}-ca-{now:%Y%m%d%H%M%S}", now)
        self.generation += 1
        self.renew(now)

    def finish_rotation(self) -> None:
        """Replaces the old CA by the new one, which alone is trusted from now on.

        The caller checks that all nodes are ready for it. Raises RotationRefused when no rotation is in progress.
        """
        if self._next is None:
            raise RotationRefused("no rotation of the CA is in progress; `sampan certs rotate ca` begins one")
        self._replace_authority()
        self._current, self._next = self._next, None
        self.generation += 1
        self.renew(self._now())

    def _replace_authority(self) -> None:
        # Two files cannot be renamed in one step. A new certificate without its key means that the second is missing.
        if self.next_authority.key.exists():
            self.next_authority.key.replace(self.authority.key)
            atomicfile.flush(self._directory)
        self.next_authority.certificate.replace(self.authority.certificate)
        atomicfile.flush(self._directory)

    # -- the master's own certificates ----------------------------------------------------------------------------

    def renew(self, now: datetime) -> list[Leaf]:
        """Renews the server's and the administrator's certificate where needed: missing, unreadable, expiring soon,
        signed by another CA or with other names. Returns which were renewed. Raises PkiError, OSError.
        """
        renewed: list[Leaf] = []
        if not self._usable(self.server, self._current, now, self._server_names()):
            renewed.append("server")
        if not self._usable(self.admin, self.signer, now, []):
            renewed.append("admin")
        for name in renewed:
            self._make(name, now)
        self._write_kubeconfig()
        return renewed

    def rotate(self, name: Leaf) -> None:
        """Creates a new key and certificate, even if the old one is valid. Raises PkiError, OSError."""
        self._make(name, self._now())
        self._write_kubeconfig()

    def advertise(self, addresses: tuple[str, ...]) -> list[Leaf]:
        """Changes the addresses at which the master is reached. Returns the certificates that were renewed."""
        self.config = replace(self.config, advertise_addresses=addresses)
        return self.renew(self._now())

    def _make(self, name: Leaf, now: datetime) -> None:
        if name == "server":
            self._make_pair(self.server, self._current, SERVER_USER, "", now, self._server_names())
            self.generation += 1
        else:
            self._make_pair(self.admin, self.signer, ADMIN_USER, ADMIN_GROUP, now, [])

    def _make_pair(
        self,
        pair: KeyPair,
        authority: Authority,
        user: str,
        group: str,
        now: datetime,
        names: Sequence[x509.GeneralName],
    ) -> None:
        key = make_key(pair.key)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = authority.issue(user, group, key.public_key(), now=now, usage=usage, names=names)
        write(pair.certificate, pem(certificate), mode=0o644)

    def _usable(self, pair: KeyPair, authority: Authority, now: datetime, names: list[x509.GeneralName]) -> bool:
        """Whether key and certificate belong together, are of this CA, do not expire soon and have these names."""
        try:
            certificate, key = read_certificate(pair.certificate), read_key(pair.key)
        except PkiError:
            return False
        if not authority.issued(certificate) or certificate.public_key() != key.public_key():
            return False
        if certificate.not_valid_after_utc < now + RENEW_BEFORE:
            return False
        if not names:
            return True
        try:
            actual = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        return set(actual) == set(names)

    def _server_names(self) -> list[x509.GeneralName]:
        """All names and addresses at which clients reach the master."""
        first_service_ip = str(ipaddress.IPv4Network(self.config.service_cidr)[1])
        texts = ["localhost", "127.0.0.1", "::1", socket.gethostname(), first_service_ip]
        texts += ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        texts += self.config.advertise_addresses
        if self.config.listen_address not in ("0.0.0.0", "::"):
            texts.append(self.config.listen_address)
        names: dict[x509.GeneralName, None] = {}
        for text in texts:
            with contextlib.suppress(ValueError):
                names[x509.IPAddress(ipaddress.ip_address(text))] = None
                continue
            names[x509.DNSName(text)] = None
        return list(names)

    def _write_kubeconfig(self) -> None:
        text = kubeconfig(
            cluster=self.config.cluster_name,
            user=ADMIN_USER,
            server=f"https://{_bracketed(self.config.address)}:{self.config.api_port}",
            ca=self.ca_pem,
            certificate=self.admin.certificate.read_bytes(),
            key=self.admin.key.read_bytes(),
        )
        if not self.kubeconfig.is_file() or self.kubeconfig.read_bytes() != text.encode():
            write(self.kubeconfig, text.encode(), mode=0o600)

    def server_context(self) -> ssl.SSLContext:
        """A TLS context for the REST API with the current certificates.

        The server requests a client certificate but does not require it. A certificate that a client sends must be
        signed by a trusted CA.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server.certificate, self.server.key)
        context.load_verify_locations(cadata=self.ca_pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # -- nodes' certificates, and descriptions --------------------------------------------------------------------

    def sign_node(self, csr_pem: str, node_name: str, *, trusted: Collection[str] = ()) -> str:
        """Signs a node's certificate and returns it as PEM. Raises CsrRefused unless the request is for this node.

        `trusted`: fingerprints of the CAs that the node trusts. It would refuse a certificate of another CA.
        """
        key = requested_key(csr_pem, node_name)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        authority = self.signer if self.signer.fingerprint in trusted else self._current
        issued = authority.issue(node_user(node_name), NODE_GROUP, key, now=self._now(), usage=usage)
        return pem(issued).decode()

    @property
    def token_key(self) -> EllipticCurvePrivateKey:
        """The key that signs the tokens of service accounts. Raises PkiError."""
        return read_key(self._token_key)

    @property
    def files(self) -> list[Path]:
        """All keys and certificates, for backups."""
        pairs = [path for pair in self._pairs.values() for path in (pair.certificate, pair.key)]
        return [path for path in (*pairs, self._token_key) if path.exists()]

    @property
    def _pairs(self) -> dict[str, KeyPair]:
        return {"ca": self.authority, "ca-next": self.next_authority, "server": self.server, "admin": self.admin}

    def describe(self) -> list[Described]:
        """Describes the certificates in files. Raises PkiError."""
        return [described(name, pair) for name, pair in self._pairs.items() if pair.certificate.exists()]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
