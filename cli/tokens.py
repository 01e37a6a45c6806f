"""`sampan token`: bootstrap tokens, by which hosts join. They are Secrets of kube-system, as Kubernetes has them."""

import argparse
import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cli.options import add_access, open_client
from cli.tables import table

if TYPE_CHECKING:
    from client.rest import Document, RestClient

_SECRETS: Final = "/api/v1/namespaces/kube-system/secrets"
_TYPE: Final = "bootstrap.kubernetes.io/token"
_DURATION: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("token", help="tokens by which hosts join")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token; prints the join command's options")
    create.add_argument("--ttl", type=_duration, default=timedelta(hours=24), metavar="24h", help="how long it is good")
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="the tokens that there are")
    listing.add_argument("-o", "--output", choices=("table", "json"), default="table")
    listing.set_defaults(run=_list)
    delete = actions.add_parser("delete", help="withdraw a token; members stay members")
    delete.add_argument("id", metavar="ID", help="the token, or its part before the dot")
    delete.set_defaults(run=_delete)
    for action in (create, listing, delete):
        add_access(action)


def _create(options: argparse.Namespace) -> int:
    from client.trust import public_key_hash
    from lab.cluster import make_token

    token = make_token()
    with open_client(options) as client:
        client.create(_SECRETS, _secret(token, datetime.now(UTC) + options.ttl))
        authority = client.access.authority
    print(f"--token {token}" + (f" --ca-hash {public_key_hash(authority)}" if authority else ""))
    return 0


def _list(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        found = list(_tokens(client))
    if options.output == "json":
        print(json.dumps([{"id": name, "expiration": expiration} for name, expiration in found], indent=2))
    else:
        print(table(("ID", "EXPIRES"), found))
    return 0


def _delete(options: argparse.Namespace) -> int:
    identifier = options.id.partition(".")[0]
    with open_client(options) as client:
        client.delete(f"{_SECRETS}/bootstrap-token-{identifier}")
    print(f"token {identifier} deleted")
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
