"""`sampan apply`: create or change objects as manifests say."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import add_access, open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.manifest import Manifest


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "apply")
    parser.add_argument(
        "-f",
        "--filename",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="YAML or JSON; - reads stdin",
    )
    parser.add_argument("-n", "--namespace", help="namespace of objects that name none")
    parser.add_argument(
        "--validate",
        choices=("ignore", "warn", "strict"),
        default="strict",
        help="what to do about unknown fields; default: strict",
    )
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Tries every document: the others are applied even if one is refused."""
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
                applied = apply(client, discovery, document, validation=options.validate.capitalize())
            except (StatusError, BadManifest) as error:
                print(f"sampan: {manifest.source}: {error}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{applied.kind.lower()}/{applied.name} {applied.outcome}")
    return code


def _read(path: Path) -> "list[Manifest]":
    from client.manifest import parse, read

    return parse(sys.stdin.read(), "stdin") if str(path) == "-" else read(path)
