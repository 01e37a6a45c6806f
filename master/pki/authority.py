"""A certificate authority (CA): its key, its own certificate, and the certificates that it issues."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from master.pki.errors import PkiError
from master.pki.files import RESTORE, KeyPair, make_key, not_dangling, pem, read_certificate, read_key, write
from proto.contract import ca_hash, fingerprint

CA_LIFE: Final = timedelta(days=3650)
LIFE: Final = timedelta(days=365)
# Clocks differ and may be set back. With a CA that is not valid yet, every connection would fail.
BACKDATE: Final = timedelta(days=1)

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA with its key, so that it can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, pair: KeyPair) -> Authority:
        """Reads the CA from its files. Raises PkiError."""
        key, certificate = read_key(pair.key), read_certificate(pair.certificate)
        if certificate.public_key() != key.public_key():
            raise PkiError(f"{pair.certificate}: does not belong to the key {pair.key.name}; {RESTORE}")
        authority = cls(certificate, key)
        if not authority.issued(certificate):
            raise PkiError(f"{pair.certificate}: damaged, or not self-signed; {RESTORE}")
        return authority

    @classmethod
    def make(cls, pair: KeyPair, name: str, now: datetime) -> Authority:
        """Creates a CA and its files. Uses the key file if it exists. Writes the certificate last.

        Raises PkiError, OSError.
        """
        for path in (pair.key, pair.certificate):
            if not path.exists():
                not_dangling(path)
        key = read_key(pair.key) if pair.key.exists() else make_key(pair.key)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key.public_key(), key.public_key(), now, CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_USAGE, critical=True)
            .sign(key, hashes.SHA256())
        )
        write(pair.certificate, pem(certificate), mode=0o644)
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        return pem(self.certificate)

    @property
    def hash(self) -> str:
        """The hash of the public key, in the form of the join command."""
        info = self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return ca_hash(info)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the certificate, in the form in which agents list their trusted CAs."""
        return fingerprint(ssl.PEM_cert_to_DER_cert(self.pem.decode()))

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether this CA's key signed the certificate."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def issue(
        self,
        user: str,
        group: str,
        key: PublicKey,
        *,
        now: datetime,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        """A certificate for CN=user, O=group (left out when empty) and these alternative names."""
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = (
            _builder(x509.Name(parts), self.certificate.subject, key, self.key.public_key(), now, LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


_USAGE: Final = x509.KeyUsage(
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


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    signer: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )
