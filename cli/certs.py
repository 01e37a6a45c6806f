"""`sampan certs`: the cluster's certificates, on the master's host: how long they last, and others in their place."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cli import exits, master_door
from cli.tables import table

Document = dict[str, Any]


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("certs", help="the cluster's certificates: show, rotate (on the master's host)")
    master_door.add_master(parser)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="ACTION")
    rotate = actions.add_parser(
        "rotate",
        help="make a certificate anew, or the CA",
        description="Nothing that runs is restarted. `ca` takes two steps: the first makes a new CA, which is trusted "
        "beside the old one, and every node renews its certificate; --finish drops the old one, when all have.",
    )
    rotate.add_argument(
        "name", nargs="?", default="all", metavar="NAME", help="server, admin, a node's name, all (but the CA), or ca"
    )
    rotate.add_argument("--finish", action="store_true", help="of the CA: the second step")
    # The same words behind the action: what was said before it is not forgotten.
    for option in ("--data-dir", "--config"):
        rotate.add_argument(option, type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    rotate.add_argument("--lab", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    rotate.set_defaults(run=_rotate)


def _show(options: argparse.Namespace) -> int:
    directory = master_door.data_dir(options)
    try:
        found = master_door.ask_json(directory, "GET", "/certs")
    except master_door.NotRunning as error:
        print(f"{error}: the nodes' certificates are not known here", file=sys.stderr)
        found = {"certificates": _in_files(directory), "rotating": False, "waiting": {}}
    now = datetime.now(UTC)
    for each in found["certificates"]:
        each["remainingSeconds"] = _remaining_s(each["notAfter"], now)
    if options.output == "json":
        print(json.dumps(found, indent=2))
        return exits.OK
    print(render(found))
    return exits.OK


def render(found: Document) -> str:
    """The table, and what is to be done."""
    rows = [
        (
            each["name"],
            each["subject"],
            each["issuer"] or "-",
            each["notAfter"][:16].replace("T", " ") or "-",
            remaining(each["remainingSeconds"]),
            each["file"] or "-",
        )
        for each in found["certificates"]
    ]
    lines = [table(("NAME", "FOR", "ISSUER", "NOT AFTER (UTC)", "REMAINING", "FILE"), rows)]
    if found["rotating"]:
        waiting = [f"  node {name} {why}" for name, why in found["waiting"].items()]
        lines += ["", "The CA is being rotated; a new one is trusted beside the old one."]
        if waiting:
            lines += ["Not yet ready for its end (`sampan certs rotate ca --finish`):", *waiting]
        else:
            lines += ["Every node is ready for its end: `sampan certs rotate ca --finish`."]
    return "\n".join(lines)


def remaining(seconds: float | None) -> str:
    """In the largest unit that says enough."""
    if seconds is None:
        return "?"
    if seconds <= 0:
        return "EXPIRED"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _remaining_s(not_after: str, now: datetime) -> float | None:
    return (datetime.fromisoformat(not_after) - now).total_seconds() if not_after else None


def _in_files(directory: Path) -> list[Document]:
    """Of a master that does not run."""
    from master.config import MasterConfig
    from master.pki import Pki

    if not (directory / "pki").is_dir():
        raise FileNotFoundError(f"{directory} holds no certificates: it is no master's data directory")
    found = Pki(MasterConfig(data_dir=directory), now=lambda: datetime.now(UTC)).describe()
    return [
        {
            "name": each.name,
            "subject": each.subject,
            "issuer": each.issuer,
            "notAfter": each.not_after.isoformat(),
            "file": each.file,
        }
        for each in found
    ]


def _rotate(options: argparse.Namespace) -> int:
    query = {"name": options.name} | ({"finish": "1"} if options.finish else {})
    directory = master_door.data_dir(options)
    try:
        print(master_door.ask_json(directory, "POST", f"/certs/rotate?{urlencode(query)}")["message"])
    except master_door.NotRunning as error:
        print(f"sampan: {error}; start it: certificates are made anew by the master", file=sys.stderr)
        return exits.UNREACHABLE
    if options.name == "ca" and not options.finish:
        print("`sampan certs` shows how far the nodes are; `sampan certs rotate ca --finish` is the second step")
    elif options.name == "ca":
        print(
            "Join commands that were printed before do not fit any more: `sampan token create` prints new ones. "
            "Copies of admin.kubeconfig from before the rotation neither. Make a new backup: those from before bring "
            "the old CA back"
        )
    return exits.OK
