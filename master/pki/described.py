"""A certificate described for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from master.pki.files import KeyPair, read_certificate


@dataclass(frozen=True, slots=True)
class Described:
    """What `sampan certs` shows about a certificate."""

    name: str
    subject: str
    issuer: str
    not_after: datetime
    file: str


def described(name: str, pair: KeyPair) -> Described:
    """Reads the certificate from its file. Raises PkiError."""
    certificate = read_certificate(pair.certificate)
    return Described(
        name=name,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_after=certificate.not_valid_after_utc,
        file=str(pair.certificate),
    )
