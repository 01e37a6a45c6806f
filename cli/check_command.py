"""`sampan check`: prints what keeps this host from being a node or a master, and what to do about it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cli import exits
from cli.exits import WrongUse
from cli.options import add_output, read_token, show
from cli.parsing import add_command, ipv4
from host.layout import HostLayout


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = add_command(subparsers, "check")
    parser.add_argument("--role", choices=("agent", "master"), default="agent", help="default: agent")
    parser.add_argument("--master", default="", metavar="ADDRESS", help="ask this master too: HOST or HOST:PORT")
    parser.add_argument(
        "--token", default="", help="also ask the master about name, address and networks (- reads it from stdin)"
    )
    parser.add_argument("--ca-hash", default="", metavar="sha256:HEX", help="hash of the cluster's CA key")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: /etc/sampan/ROLE.toml, if it exists")
    # Not checked here: whether a node can have this name is one of the findings.
    parser.add_argument("--node-name", default="", metavar="NAME", help="default: the configuration's, then the host's")
    parser.add_argument(
        "--node-address",
        type=ipv4,
        metavar="IPV4",
        help="default: the configuration's, then that of the route to the master",
    )
    parser.add_argument("--engine-socket", type=Path, metavar="SOCKET", help="default: the configuration's")
    add_output(parser, "text")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from host.check import Request, subject
    from host.preflight.finding import errors, text
    from host.preflight.gather import gather
    from host.preflight.judges import judge

    token = read_token(options.token)
    if token and not (options.ca_hash and options.master):
        raise WrongUse("--token needs --master and --ca-hash: it is only sent to a master that the hash proves")
    request = Request(
        role=options.role,
        config=options.config,
        node_name=options.node_name,
        node_address=options.node_address or "",
        engine_socket=options.engine_socket,
        master=options.master,
        token=token,
        ca_hash=options.ca_hash,
    )
    findings = judge(gather(subject(request, HostLayout())))
    role = "a master" if options.role == "master" else "a node"
    show(options, [dict(finding.document()) for finding in findings], lambda: text(findings) or f"fit to be {role}")
    return exits.FAILED if errors(findings) else exits.OK
