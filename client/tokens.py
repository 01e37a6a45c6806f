"""Bootstrap tokens, with which hosts join. They are Secrets of kube-system, as in Kubernetes.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ has their form.
"""

import base64
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from client.kubeconfig import Access
from client.rest import Document, RestClient
from client.trust import CA_PATH, public_key_hash

_SECRETS: Final = "/api/v1/namespaces/kube-system/secrets"
_TYPE: Final = "bootstrap.kubernetes.io/token"
_API_PORT: Final = 6443
_CHARACTERS: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Ticket:
    """What `sampan join` needs."""

    address: str
    """The master's HOST or HOST:PORT."""
    token: str
    ca_hash: str

    @property
    def command(self) -> str:
        return f"sampan join {self.address} --token {self.token} --ca-hash {self.ca_hash}"


def make_token() -> str:
    """A new bootstrap token: id and secret, 6 and 16 of a-z0-9."""
    return ".".join("".join(secrets.choice(_CHARACTERS) for _ in range(length)) for length in (6, 16))


def create(client: RestClient, expiration: datetime) -> Ticket:
    """A new token that is valid until then. Raises ClientError."""
    token = make_token()
    client.create(_SECRETS, secret_of(token, expiration))
    return Ticket(address(client.access.server), token, _ca_hash(client.access))


def tokens(client: RestClient) -> Iterator[tuple[str, str]]:
    """Id and expiration (RFC 3339, or `never`) of each token. Raises ClientError."""
    for secret in client.get(_SECRETS)["items"]:
        if secret.get("type") == _TYPE:
            data = {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}
            yield data.get("token-id", "?"), data.get("expiration", "never")


def revoke(client: RestClient, identifier: str) -> None:
    """Delete the token with this id. Raises ClientError."""
    client.delete(f"{_SECRETS}/bootstrap-token-{identifier}")


def secret_of(token: str, expiration: datetime) -> Document:
    """The Secret that makes a token valid."""
    identifier, _, secret = token.partition(".")
    data = {
        "token-id": identifier,
        "token-secret": secret,
        "expiration": rfc3339(expiration),
        "usage-bootstrap-authentication": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{identifier}", "namespace": "kube-system"},
        "type": _TYPE,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def address(server: str) -> str:
    """A server's URL as `sampan join` takes it: without the scheme, and without the usual port."""
    parts = urlsplit(server)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _API_PORT) else f"{host}:{parts.port}"


def _ca_hash(access: Access) -> str:
    """The hash of the CA that signs the server's certificate today.

    A kubeconfig may be older than the CA's rotation, so the master is asked, over a connection that the kubeconfig's
    CAs verify.
    """
    with RestClient(access) as client:
        return public_key_hash(client.get_text(CA_PATH).encode())
