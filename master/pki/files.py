"""Files with keys and certificates: EC P-256, PEM, written atomically. Only the owner can read the keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hull import atomicfile
from master.pki.errors import PkiError

RESTORE: Final = "restore the pki directory from a backup; with a new CA, every node would have to join again"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


def make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Creates a key and writes it to the file. Raises PkiError, OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(path, text, mode=0o600)
    return key


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Reads a private key. Raises PkiError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise PkiError(f"{path}: {error.strerror}; {RESTORE}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(f"{path}: not a private key in PEM; {RESTORE}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{path}: not an EC key; {RESTORE}")
    return key


def read_certificate(path: Path) -> x509.Certificate:
    """Reads a certificate. Raises PkiError."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.public_key()  # the library parses it only now
    except OSError as error:
        raise PkiError(f"{path}: {error.strerror}; {RESTORE}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(f"{path}: not a certificate in PEM; {RESTORE}") from error
    return certificate


def not_dangling(path: Path) -> None:
    """Raises PkiError for a dangling link: its target is elsewhere, and a new file must not replace it."""
    if path.is_symlink():
        raise PkiError(f"{path}: a dangling symbolic link; {RESTORE}")


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Writes the file atomically, even if the machine crashes. Raises PkiError, OSError."""
    try:
        atomicfile.write(path, content, mode=mode)
    except IsADirectoryError as error:
        raise PkiError(f"{path}: {error.strerror}; remove it, and the master creates a new file") from error
