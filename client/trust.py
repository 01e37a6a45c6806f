"""Trust on first contact: fetches a cluster's CA unverified, and trusts it only if the hash of its public key is known.

The hash comes with the join token, as in kubeadm. After that every connection is verified.
"""

import hashlib
import http.client
import re
import ssl
from urllib.parse import urlsplit

from client.errors import ConnectionFailed, TrustFailed
from client.kubeconfig import Access

CA_PATH = "/sampan/v1/ca"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_TIMEOUT_S = 10.0
_MOST_BYTES = 1 << 20


def public_key_hash(certificate_pem: bytes) -> str:
    """`sha256:` and the hex digest of the certificate's DER SubjectPublicKeyInfo (as in RFC 7469)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def authorities(pem: bytes) -> dict[str, bytes]:
    """The certificates in a PEM file, by the hash of their keys. Raises ValueError if one of them is
    not a certificate.
    """
    certificates = [f"{text}\n".encode() for text in _CERTIFICATE.findall(pem.decode(errors="replace"))]
    return {public_key_hash(certificate): certificate for certificate in certificates}


def trusted_access(server: str, ca_hash: str, *, token: str = "") -> Access:
    """An access to `server` (https://HOST:PORT) that verifies it by the CA with this hash.

    Raises ConnectionFailed if there is no answer, TrustFailed if the server has another CA.
    """
    expected = ca_hash.strip().lower()
    bundle = fetch_authority(server)
    try:
        offered = authorities(bundle)
    except ValueError as error:
        raise TrustFailed(f"the CA that {server} sent is not a certificate") from error
    if not offered:
        raise TrustFailed(f"the CA that {server} sent is not a certificate")
    if expected not in offered:
        raise TrustFailed(
            f"the CA of {server} is {' or '.join(offered)}, not {ca_hash}: this is another cluster, an interceptor, or "
            "the join command is older than the CA; `sampan token create` on the master prints the current one"
        )
    # Trust only the CA with this hash, and no other that the server sent.
    return Access(server=server.rstrip("/"), authority=offered[expected], token=token)


def fetch_authority(server: str) -> bytes:
    """The CA's certificate as the server sends it (PEM), not verified."""
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.hostname:
        raise ConnectionFailed(f'"{server}" is not the address of a master, such as https://HOST:PORT')
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request("GET", CA_PATH)
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionFailed(f"no answer from {server}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise TrustFailed(f"{server} answered {answer.status} to {CA_PATH}: is it a Sampan master?")
    return body
