"""`sampan token`: makes, lists and revokes the tokens with which hosts join."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cli import exits
from cli.durations import duration, remaining, seconds_until
from cli.options import add_access, add_output, open_client, show
from cli.parsing import add_action, add_command, token_id
from cli.tables import table

_TTL: Final = timedelta(hours=24)


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "token")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = add_action(
        actions, "create", "make a token, and print the join command", example="sampan token create --ttl 1h"
    )
    create.add_argument(
        "--ttl",
        type=duration,
        default=_TTL,
        metavar="DURATION",
        help="how long it is valid: 30m, 24h, 7d; default: 24h",
    )
    add_output(create, "text")
    create.set_defaults(run=_create)
    listing = add_action(actions, "list", "list the tokens", example="sampan token list -o json")
    add_output(listing)
    listing.set_defaults(run=_list)
    revoke = add_action(
        actions,
        "revoke",
        "delete a token; hosts that joined with it stay nodes",
        example="sampan token revoke abcdef",
        aliases=["delete"],
    )
    revoke.add_argument("id", metavar="ID", type=token_id, help="the token, or its part before the dot")
    revoke.set_defaults(run=_revoke)
    for action in (create, listing, revoke):
        add_access(action)


def _create(options: argparse.Namespace) -> int:
    from client import tokens

    expiration = datetime.now(UTC) + options.ttl
    with open_client(options) as client:
        ticket = tokens.create(client, expiration)
    document = {
        "token": ticket.token,
        "expiration": tokens.rfc3339(expiration),
        "address": ticket.address,
        "caHash": ticket.ca_hash,
        "command": ticket.command,
    }
    show(options, document, lambda: ticket.command)
    return exits.OK


def _list(options: argparse.Namespace) -> int:
    from client import tokens

    with open_client(options) as client:
        listed = list(tokens.tokens(client))
    now = datetime.now(UTC)
    rows = [(identifier, expiration, _remaining(expiration, now)) for identifier, expiration in listed]
    documents = [{"id": identifier, "expiration": expiration} for identifier, expiration in listed]
    show(options, documents, lambda: table(("ID", "EXPIRES", "REMAINING"), rows))
    return exits.OK


def _remaining(expiration: str, now: datetime) -> str:
    return "-" if expiration == "never" else remaining(seconds_until(expiration, now))


def _revoke(options: argparse.Namespace) -> int:
    from client import tokens

    with open_client(options) as client:
        tokens.revoke(client, options.id)
    print(f"token {options.id} revoked")
    return exits.OK
