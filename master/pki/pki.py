"""The cluster's certificates: the authority, the server's certificate, the administrator's, and those of nodes.

Owns the files under <data_dir>/pki and admin.kubeconfig, which is written last: when it is there, all others are.
Decides nothing about who may join; checks only that a request is what it claims to be. Imports nothing heavy but
`cryptography`: this runs first at start-up.

While the authority is being rotated there are two. `ca` is the one that everybody trusts: it signs what is served.
`ca-next` signs what clients show, and is trusted beside it. When all nodes trust both and have a certificate of the
new one, it takes the old one's place. A node trusts what it is told over a session, before it is served anything else.
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
from cryptography.x509.oid import ExtendedKeyUsageOID

from hull import atomicfile
from master.config import MasterConfig
from master.pki.authority import Authority
from master.pki.described import Described, described
from master.pki.errors import PkiError, RotationRefused
from master.pki.files import RESTORE, KeyPair, make_key, pem, read_certificate, read_key, write
from master.pki.kubeconfig import kubeconfig
from master.pki.requests import requested_key
from proto.contract import NODE_GROUP, node_user

ADMIN_USER: Final = "sampan-admin"
ADMIN_GROUP: Final = "system:masters"
SERVER_USER: Final = "sampan-master"
RENEW_BEFORE: Final = timedelta(days=60)
"""A certificate is made anew when less than this is left of it."""

Leaf = Literal["server", "admin"]


class Pki:
    """The cluster's certificate authority and what it has issued."""

    def __init__(self, config: MasterConfig, *, now: Callable[[], datetime]) -> None:
        self.config = config
        self.generation = 0
        """Counts the changes of what is served or trusted: whoever serves with it looks at it at each handshake."""
        self._now = now
        self._directory = config.data_dir / "pki"
        self.authority = self._pair("ca")
        self.next_authority = self._pair("ca-next")
        self.server = self._pair("server")
        self.admin = self._pair("admin")
        self.kubeconfig = config.data_dir / "admin.kubeconfig"
        self._current: Authority
        self._next: Authority | None = None

    @classmethod
    def prepare(cls, config: MasterConfig, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Pki:
        """Makes what is missing or near its end; everything is in place when this returns."""
        pki = cls(config, now=now)
        pki._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki._load_authorities()
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
            self._replace_authority()  # the last step of a rotation was cut short
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
        """Every CA that is trusted now; the one that signs what is served comes first."""
        return b"".join(each.pem for each in self.authorities)

    @property
    def authorities(self) -> list[Authority]:
        """Those that are trusted now; the one that signs what is served comes first."""
        return [each for each in (self._current, self._next) if each is not None]

    @property
    def ca_hash(self) -> str:
        """Of the CA that signs what is served: what a join command carries."""
        return self._current.hash

    @property
    def ca_hashes(self) -> list[str]:
        """Of every CA that is trusted now."""
        return [each.hash for each in self.authorities]

    @property
    def signer(self) -> Authority:
        """The CA that signs what clients show."""
        return self._next or self._current

    @property
    def trusted(self) -> list[str]:
        """Fingerprints of `ca_pem`."""
        return [each.fingerprint for each in self.authorities]

    @property
    def rotating(self) -> bool:
        """A new CA is trusted beside the one that serves."""
        return self._next is not None

    def begin_rotation(self) -> None:
        """A new CA, trusted beside the old one from now on. Raises RotationRefused when one is there already."""
        if self.rotating:
            raise RotationRefused(
                "the CA is being rotated already; `sampan certs` shows how far, "
                "`sampan certs rotate ca --finish` ends it"
            )
        now = self._now()
        self._next = Authority.make(self.next_authority, f"{self.config.cluster_name}-ca-{now:%Y%m%d%H%M%S}", now)
        self.generation += 1
        self.renew(now)

    def finish_rotation(self) -> None:
        """The new CA alone is trusted from now on. Whether every node is ready for that is asked elsewhere."""
        if self._next is None:
            raise RotationRefused("no rotation of the CA is under way; `sampan certs rotate ca` begins one")
        self._replace_authority()
        self._current, self._next = self._next, None
        self.generation += 1
        self.renew(self._now())

    def _replace_authority(self) -> None:
        # Two names cannot change at once: without its key, the new certificate tells that the second step is missing.
        if self.next_authority.key.exists():
            self.next_authority.key.replace(self.authority.key)
            atomicfile.flush(self._directory)
        self.next_authority.certificate.replace(self.authority.certificate)
        atomicfile.flush(self._directory)

    # -- what the master itself needs -----------------------------------------------------------------------------

    def renew(self, now: datetime) -> list[Leaf]:
        """Makes the server's and the administrator's certificate when missing, near the end, of another CA or of other
        names. Returns which were made."""
        made: list[Leaf] = []
        if not self._usable(self.server, self._current, now, self._server_names()):
            made.append("server")
        if not self._usable(self.admin, self.signer, now, []):
            made.append("admin")
        for name in made:
            self._make(name, now)
        self._write_kubeconfig()
        return made

    def rotate(self, name: Leaf) -> None:
        """A new key and certificate, whatever is left of the old one."""
        self._make(name, self._now())
        self._write_kubeconfig()

    def advertise(self, addresses: tuple[str, ...]) -> list[Leaf]:
        """The master is reached by other addresses from now on. Returns the certificates that were made anew."""
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
        """Whether the pair is whole, of this CA, good for a while and of these names."""
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
            has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        return set(has) == set(names)

    def _server_names(self) -> list[x509.GeneralName]:
        """Every name and address that the master is reached by."""
        first_service_ip = str(ipaddress.IPv4Network(self.config.service_cidr)[1])
        wanted = ["localhost", "127.0.0.1", "::1", socket.gethostname(), first_service_ip]
        wanted += ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        wanted += self.config.advertise_addresses
        if self.config.listen_address not in ("0.0.0.0", "::"):
            wanted.append(self.config.listen_address)
        names: dict[x509.GeneralName, None] = {}
        for text in wanted:
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
        """For the REST API, as of now: a client certificate is asked for, not demanded, and must be ours when it
        comes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server.certificate, self.server.key)
        context.load_verify_locations(cadata=self.ca_pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # -- nodes and people -----------------------------------------------------------------------------------------

    def sign_node(self, csr_pem: str, node_name: str, *, trusted: Collection[str] = ()) -> str:
        """The certificate (PEM) for a node; CsrRefused unless the request is well-formed and for this very name.

        `trusted`: fingerprints of the CAs that the node knows: it would not take one of another CA for its own.
        """
        key = requested_key(csr_pem, node_name)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        authority = self.signer if self.signer.fingerprint in trusted else self._current
        issued = authority.issue(node_user(node_name), NODE_GROUP, key, now=self._now(), usage=usage)
        return pem(issued).decode()

    @property
    def files(self) -> list[Path]:
        """Everything that must not be lost: keys and certificates."""
        return [path for pair in self._pairs.values() for path in (pair.certificate, pair.key) if path.exists()]

    @property
    def _pairs(self) -> dict[str, KeyPair]:
        return {"ca": self.authority, "ca-next": self.next_authority, "server": self.server, "admin": self.admin}

    def describe(self) -> list[Described]:
        """The certificates in files, for people."""
        return [described(name, pair) for name, pair in self._pairs.items() if pair.certificate.exists()]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
