"""Certificate signing requests of nodes: checks a request and returns its key."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from master.pki.authority import PublicKey
from master.pki.errors import CsrRefused
from proto.contract import NODE_GROUP, node_user


def requested_key(csr_pem: str, node_name: str) -> PublicKey:
    """The key to certify. Raises CsrRefused unless the request is well-formed and for this node."""
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        # The library parses each part only when it is read.
        signed, key, _ = request.is_signature_valid, request.public_key(), list(request.subject)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CsrRefused(f"the certificate signing request cannot be read: {error}") from error
    if not signed:
        raise CsrRefused("the certificate signing request is not signed by its own key")
    users = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if users != [node_user(node_name)]:
        raise CsrRefused(f"the request's common name is {users}, expected {node_user(node_name)!r}")
    groups = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if groups != [NODE_GROUP]:
        raise CsrRefused(f"the request's organization is {groups}, expected {NODE_GROUP!r}")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256:
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return key
    raise CsrRefused("the request's key is neither EC of 256 bits or more nor RSA of 2048 bits or more")
