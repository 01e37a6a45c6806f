"""Why texts are not certificates or requests for certificates. For objects of users; our own are made elsewhere."""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

_BLOCK: Final = re.compile(rb"-----BEGIN ([^-\n]+)-----\n(.*?)-----END \1-----", re.DOTALL)
_REQUEST: Final = b"CERTIFICATE REQUEST"
_CERTIFICATE: Final = b"CERTIFICATE"


def request_problem(pem: bytes) -> str:
    """Why the text is not a request in PKCS #10 with a valid signature; empty if it is one."""
    match = _BLOCK.search(pem)
    if match is None or match[1] != _REQUEST:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(match[0])
        return "" if request.is_signature_valid else "the signature is not valid"
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        return str(error) or "the request cannot be read"


def certificates_problem(pem: bytes) -> str:
    """Why the text is not a list of certificates; empty if it is one."""
    blocks = list(_BLOCK.finditer(pem))
    if not blocks:
        return "must contain at least one CERTIFICATE PEM block"
    for block in blocks:
        if block[1] != _CERTIFICATE:
            return f"only CERTIFICATE PEM blocks are allowed, found {block[1].decode(errors='replace')!r}"
        if b":" in block[2]:
            return "no PEM block headers are permitted"
        try:
            x509.load_pem_x509_certificate(block[0])
        except ValueError as error:
            return str(error) or "a certificate cannot be read"
    return ""


def authorities_problem(pem: bytes) -> str:
    """Why the text is not a list of different certificates of authorities; empty if it is one."""
    if problem := certificates_problem(pem):
        return problem
    seen: set[x509.Certificate] = set()
    for index, block in enumerate(_BLOCK.finditer(pem)):
        certificate = x509.load_pem_x509_certificate(block[0])
        try:
            is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            is_authority = False
        if not is_authority:
            return f"entry {index} does not have the CA bit set"
        if certificate in seen:
            return f"duplicate trust anchor (entry {index})"
        seen.add(certificate)
    return ""
