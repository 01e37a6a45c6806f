"""`sampan apply`: create what a manifest says, or change it to what it says now."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import add_access, open_client

if TYPE_CHECKING:
    from client.manifest import Manifest


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("apply", help="bring objects to what manifests say")
    parser.add_argument(
        "-f", "--filename", type=Path, action="append", required=True, metavar="FILE", help="YAML or JSON; - is stdin"
    )
    parser.add_argument("-n", "--namespace", help="for objects that name none")
    parser.add_argument(
        "--validate", choices=("ignore", "warn", "strict"), default="strict", help="what to do about unknown fields"
    )
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Every document is tried: one that is refused does not keep the others away."""
    from client.apply import apply
    from client.discovery import Discovery
    from client.errors import BadManifest, StatusError

    manifests = [manifest for path in options.filename for manifest in _read(path)]
    code = exits.OK
    with open_client(options) as client:
        discovery = Discovery(client)
        for manifest in manifests:
            document = manifest.document
            if options.namespace:
                document["metadata"].setdefault("namespace", options.namespace)
            try:
                done = apply(client, discovery, document, validation=options.validate.capitalize())
            except (StatusError, BadManifest) as error:
                print(f"sampan: {manifest.source}: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{done.kind.lower()}/{done.name} {done.outcome}")
    return code


def _read(path: Path) -> "list[Manifest]":
    from client.manifest import parse, read

    return parse(sys.stdin.read(), "stdin") if str(path) == "-" else read(path)
