"""Keys and certificate signing requests.

Owns the form of both: EC P-256, subject O=system:nodes, CN=system:node:NAME. `cryptography` is imported on first use:
an agent that has its certificate saves the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proto import contract

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Life:
    """A certificate's validity, in seconds since the epoch."""

    not_before: float
    not_after: float


def make_key() -> str:
    """A new private key, PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


def make_request(key_pem: str, node_name: str) -> str:
    """A certificate signing request for the node's key, PEM. Raises ValueError when the key is not an EC key."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, contract.NODE_GROUP),
            x509.NameAttribute(NameOID.COMMON_NAME, contract.node_user(node_name)),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def life_of(certificate_pem: str) -> Life:
    """The certificate's validity."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return Life(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())


def certified(certificate_pem: str, *, key_pem: str, authority_pem: str, node_name: str) -> Life:
    """The certificate's validity. Raises ValueError unless it is the node's, of that key and of one of the authorities
    (PEM; two while the cluster's CA is rotated): storing any other certificate would lock the node out."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        names = [part.value for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        same_key = certificate.public_key() == serialization.load_pem_private_key(key_pem.encode(), None).public_key()
        _verify(certificate, x509.load_pem_x509_certificates(authority_pem.encode()))
    except (InvalidSignature, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the certificate is not of the cluster's authority: {error}") from error
    if names != [contract.node_user(node_name)]:
        raise ValueError(f"the certificate is for {names}, expected {contract.node_user(node_name)!r}")
    if not same_key:
        raise ValueError("the certificate is for another key")
    return life_of(certificate_pem)


def _verify(certificate: x509.Certificate, authorities: list[x509.Certificate]) -> None:
    """Raises the last authority's error unless one of them has signed the certificate."""
    from cryptography.exceptions import InvalidSignature

    for number, authority in enumerate(authorities, 1):
        try:
            certificate.verify_directly_issued_by(authority)
            return
        except (ValueError, TypeError, InvalidSignature):
            if number == len(authorities):
                raise
