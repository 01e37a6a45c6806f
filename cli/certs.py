"""`sampan certs`: shows how long the cluster's certificates last, and rotates them, on the master's host."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import exits
from cli.durations import remaining, seconds_until
from cli.options import add_master, add_output, master_data_dir, show
from cli.parsing import add_action, add_command, lab_name, node_name
from cli.tables import table

Document = dict[str, Any]


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "certs",
        description="Show the cluster's certificates and how long they last, on the master's host. With an action: "
        "rotate them.",
    )
    add_master(parser)
    add_output(parser)
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="ACTION")
    rotate = add_action(
        actions,
        "rotate",
        "renew a certificate, or rotate the CA",
        example="sampan certs rotate ca && sampan certs && sampan certs rotate ca --finish",
        description="Renew a certificate, or rotate the CA. Nothing that runs is restarted. The CA takes two steps: "
        "the first makes a new CA, which is trusted beside the old one, and every node renews its certificate; "
        "--finish drops the old CA once all nodes have done so.",
    )
    rotate.add_argument(
        "name",
        nargs="?",
        type=node_name,
        default="all",
        metavar="NAME",
        help="server, admin, a node's name, ca, or all (all but the CA); default: all",
    )
    rotate.add_argument("--finish", action="store_true", help="the second step for the CA")
    # `certs` has these options too: without SUPPRESS the defaults here would overwrite what stands before `rotate`.
    for option in ("--data-dir", "--config"):
        rotate.add_argument(option, type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    rotate.add_argument("--lab", type=lab_name, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    rotate.set_defaults(run=_rotate)


def _show(options: argparse.Namespace) -> int:
    from master import administration

    directory = master_data_dir(options)
    try:
        document = administration.certificates(directory)
    except administration.NotRunning as error:
        print(f"{error}: the nodes' certificates are unknown", file=sys.stderr)
        document = administration.certificates_on_disk(directory)
    now = datetime.now(UTC)
    for certificate in document["certificates"]:
        certificate["remainingSeconds"] = seconds_until(certificate["notAfter"], now)
    show(options, document, lambda: render(document))
    return exits.OK


def _row(certificate: Document) -> tuple[str, ...]:
    return (
        certificate["name"],
        certificate["subject"],
        certificate["issuer"] or "-",
        certificate["notAfter"][:16].replace("T", " ") or "-",
        remaining(certificate["remainingSeconds"]),
        certificate["file"] or "-",
    )


def render(document: Document) -> str:
    """The table, and what is left to do in a rotation of the CA."""
    rows = [_row(certificate) for certificate in document["certificates"]]
    lines = [table(("NAME", "FOR", "ISSUER", "NOT AFTER (UTC)", "REMAINING", "FILE"), rows)]
    if document["rotating"]:
        waiting = [f"  node {name} {why}" for name, why in document["waiting"].items()]
        lines += ["", "The CA is being rotated: a new one is trusted beside the old one."]
        if waiting:
            lines += ["These nodes are not yet ready for `sampan certs rotate ca --finish`:", *waiting]
        else:
            lines += ["Every node is ready for `sampan certs rotate ca --finish`."]
    return "\n".join(lines)


def _rotate(options: argparse.Namespace) -> int:
    from master import administration

    try:
        print(administration.rotate(master_data_dir(options), options.name, finish=options.finish))
    except administration.NotRunning as error:
        print(f"sampan: {error}; start it: certificates are renewed by the running master", file=sys.stderr)
        return exits.UNREACHABLE
    if options.name == "ca" and not options.finish:
        print("`sampan certs` shows which nodes are ready; `sampan certs rotate ca --finish` is the second step")
    elif options.name == "ca":
        print(
            "Join commands and copies of admin.kubeconfig from before the rotation are no longer valid: "
            "`sampan token create` prints a new join command. Make a new backup: an older one restores the old CA"
        )
    return exits.OK
