"""Keys and certificate signing requests.

Owns the form of both: EC P-256, subject O=system:nodes, CN=system:node:NAME. `cryptography` is imported on use: an
agent that has its certificate does without its memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from proto import contract


@dataclass(frozen=True, slots=True)
class Life:
    """A certificate's time, in seconds since the epoch."""

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
    """A certificate signing request for the node's key, PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = serialization.load_pem_private_key(key_pem.encode(), password=None)
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
    """From when to when the certificate is good."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    return Life(certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp())
