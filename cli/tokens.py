"""`sampan token`: bootstrap tokens, by which hosts join. They are Secrets of kube-system, as Kubernetes has them."""

import argparse
import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cli.certs import remaining
from cli.options import add_access, open_client
from cli.tables import table

if TYPE_CHECKING:
    from client.kubeconfig import Access
    from client.rest import Document, RestClient

_SECRETS: Final = "/api/v1/namespaces/kube-system/secrets"
_TYPE: Final = "bootstrap.kubernetes.io/token"
_API_PORT: Final = 6443
_DURATION: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("token", help="tokens by which hosts join")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token; prints the join command")
    create.add_argument("--ttl", type=_duration, default=timedelta(hours=24), metavar="24h", help="how long it is good")
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="the tokens that there are")
    listing.add_argument("-o", "--output", choices=("table", "json"), default="table")
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", aliases=["delete"], help="withdraw a token; members stay members")
    revoke.add_argument("id", metavar="ID", help="the token, or its part before the dot")
    revoke.set_defaults(run=_revoke)
    for action in (create, listing, revoke):
        add_access(action)


def _create(options: argparse.Namespace) -> int:
    from lab.cluster import make_token

    token = make_token()
    with open_client(options) as client:
        client.create(_SECRETS, _secret(token, datetime.now(UTC) + options.ttl))
        access = client.access
    print(f"sampan join {address(access.server)} --token {token} --ca-hash {_ca_hash(access)}")
    return 0


def address(server: str) -> str:
    """As `sampan join` takes it: without the scheme, and without the usual port."""
    parts = urlsplit(server)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _API_PORT) else f"{host}:{parts.port}"


def _ca_hash(access: "Access") -> str:
    """Of the CA that signs what is served. A kubeconfig may be older than its rotation: the master itself is asked,
    over a connection that the kubeconfig's CAs have verified."""
    from client.rest import RestClient
    from client.trust import CA_PATH, public_key_hash

    with RestClient(access) as client:
        return public_key_hash(client.get_text(CA_PATH).encode())


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = list(_tokens(client))
    if options.output == "json":
        print(json.dumps([{"id": name, "expiration": expiration} for name, expiration in found], indent=2))
    else:
        now = datetime.now(UTC)
        print(table(("ID", "EXPIRES", "REMAINING"), [(*each, _remaining(each[1], now)) for each in found]))
    return 0


def _remaining(expiration: str, now: datetime) -> str:
    if expiration == "never":
        return "-"
    try:
        return remaining((datetime.fromisoformat(expiration) - now).total_seconds())
    except (ValueError, TypeError):
        return "?"


def _revoke(options: argparse.Namespace) -> int:
    identifier = options.id.partition(".")[0]
    with open_client(options) as client:
        client.delete(f"{_SECRETS}/bootstrap-token-{identifier}")
    print(f"token {identifier} revoked")
    return 0


def _tokens(client: "RestClient") -> Iterator[tuple[str, str]]:
    for secret in client.get(_SECRETS)["items"]:
        if secret.get("type") == _TYPE:
            data = {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}
            yield data.get("token-id", "?"), data.get("expiration", "never")


def _secret(token: str, expiration: datetime) -> "Document":
    identifier, _, secret = token.partition(".")
    data = {
        "token-id": identifier,
        "token-secret": secret,
        "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "usage-bootstrap-authentication": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{identifier}", "namespace": "kube-system"},
        "type": _TYPE,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f'"{text}" is no duration: 30m, 24h, 7d')
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
