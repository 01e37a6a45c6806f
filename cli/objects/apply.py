"""`sampan apply`: create or change objects as manifests say."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import add_access, open_client
from cli.parsing import add_command

if TYPE_CHECKING:
    from client.apply import Applied
    from client.discovery import Discovery
    from client.manifest import Manifest
    from client.rest import Document, RestClient


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
    parser.add_argument(
        "--server-side",
        action="store_true",
        help="let the server merge and record who set which field, as manager `sampan`",
    )
    parser.add_argument(
        "--force-conflicts", action="store_true", help="with --server-side: take fields over from other managers"
    )
    add_access(parser)
    parser.set_defaults(run=_run, wrong=parser.error)


def _run(options: argparse.Namespace) -> int:
    """Tries every document: the others are applied even if one is refused."""
    from client.discovery import Discovery
    from client.errors import BadManifest, StatusError

    if options.force_conflicts and not options.server_side:
        options.wrong("--force-conflicts needs --server-side")
    if options.server_side and options.validate != "strict":
        options.wrong("--server-side refuses unknown fields in any case: leave --validate out")
    manifests = [manifest for path in options.filename for manifest in _read(path)]
    code = exits.OK
    with open_client(options) as client:
        discovery = Discovery(client)
        for manifest in manifests:
            document = manifest.document
            if options.namespace:
                document["metadata"].setdefault("namespace", options.namespace)
            try:
                applied = _apply(client, discovery, document, options)
            except (StatusError, BadManifest) as error:
                print(f"sampan: {manifest.source}: {error}{_advice(error)}", file=sys.stderr)
                code = exits.FAILED
            else:
                print(f"{applied.kind.lower()}/{applied.name} {applied.outcome}")
    return code


def _apply(
    client: "RestClient", discovery: "Discovery", document: "Document", options: argparse.Namespace
) -> "Applied":
    from client import apply, serverside

    if options.server_side:
        return serverside.apply(client, discovery, document, force=options.force_conflicts)
    return apply.apply(client, discovery, document, validation=options.validate.capitalize())


def _advice(error: Exception) -> str:
    """What to do about a field that another manager owns."""
    from client.errors import Conflict

    causes = error.details.get("causes") or () if isinstance(error, Conflict) else ()
    owned = any(cause.get("reason") == "FieldManagerConflict" for cause in causes)
    return "\n  --force-conflicts takes these fields over" if owned else ""


def _read(path: Path) -> "list[Manifest]":
    from client.manifest import parse, read

    return parse(sys.stdin.read(), "stdin") if str(path) == "-" else read(path)
