"""Trust on first contact by a hash: fetch a cluster's CA unverified, and believe it only when its public key is known.

The hash travels with the join token, as kubeadm does it; after that every connection is verified.
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
    """`sha256:` and the hex digest of the certificate's DER SubjectPublicKeyInfo (RFC 7469 pins the same)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def authorities(pem: bytes) -> dict[str, bytes]:
    """The certificates of a file of several, by the hash of their keys. Raises ValueError for one that is none."""
    found = [f"{each}\n".encode() for each in _CERTIFICATE.findall(pem.decode(errors="replace"))]
    return {public_key_hash(each): each for each in found}


def trusted_access(server: str, ca_hash: str, *, token: str = "") -> Access:
    """An access to `server` (https://HOST:PORT) that verifies it by the CA with this hash.

    Raises ConnectionFailed when nobody answers, TrustFailed when the CA is another one.
    """
    wanted = ca_hash.strip().lower()
    offered = fetch_authority(server)
    try:
        found = authorities(offered)
    except ValueError as error:
        raise TrustFailed(f"{server} sent no certificate as its CA") from error
    if not found:
        raise TrustFailed(f"{server} sent no certificate as its CA")
    if wanted not in found:
        raise TrustFailed(
            f"the CA of {server} is {' or '.join(found)}, not {ca_hash}: another cluster, somebody in between, or a "
            "join command of before the CA was rotated; `sampan token create` on the master prints the present one"
        )
    # That one only: what else was sent is believed by nobody.
    return Access(server=server.rstrip("/"), authority=found[wanted], token=token)


def fetch_authority(server: str) -> bytes:
    """The CA's certificate as the server tells it, PEM, believed by nobody yet."""
    parts = urlsplit(server)
    if parts.scheme != "https" or not parts.hostname:
        raise ConnectionFailed(f'"{server}" is no address of a master: https://HOST:PORT is')
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
