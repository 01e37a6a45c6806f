"""`sampan check`: whether this host is fit to be a node, or a master, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.options import read_token
from host.layout import HostLayout

if TYPE_CHECKING:
    from host.preflight.gather import Subject


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser("check", help="whether this host is fit to be a node; changes nothing")
    parser.add_argument("--role", choices=("agent", "master"), default="agent", help="what it shall be")
    parser.add_argument("--master", default="", metavar="ADDRESS", help="ask this master too: HOST or HOST:PORT")
    parser.add_argument(
        "--token", default="", help="ask it also for name, address and networks (- reads it from stdin)"
    )
    parser.add_argument("--ca-hash", default="", metavar="sha256:HEX", help="hash of the cluster's CA key")
    parser.add_argument("--config", type=Path, metavar="FILE", help="else /etc/sampan/ROLE.toml, if it is there")
    parser.add_argument("--node-name", default="", metavar="NAME", help="else the configuration's, else the host's")
    parser.add_argument("--node-address", default="", metavar="IPV4", help="else the one that reaches the master")
    parser.add_argument("--engine-socket", type=Path, metavar="SOCKET", help="else the configuration's")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from host.preflight.finding import errors, text
    from host.preflight.gather import gather
    from host.preflight.judges import judge

    options.token = read_token(options.token)
    if options.token and not (options.ca_hash and options.master):
        raise ValueError("--token is only sent to a --master that --ca-hash proves")
    findings = judge(gather(subject(options)))
    if options.output == "json":
        print(json.dumps([dict(each.document()) for each in findings], indent=2))
    else:
        print(text(findings) or f"fit to be {'a master' if options.role == 'master' else 'a node'}")
    return exits.FAILED if errors(findings) else exits.OK


def subject(options: argparse.Namespace) -> Subject:
    """What shall be judged: options, then the configuration, then defaults.

    Raises SettingsError, ValueError, WrongUse.
    """
    from host.config import default_node_name, master_url
    from host.preflight.gather import Subject

    layout = HostLayout()
    made = Subject(
        role=options.role,
        node_name=options.node_name or default_node_name(),
        state_dir=layout.state(options.role),
        node_address=options.node_address,
        master=master_url(options.master) if options.master else "",
        token=options.token,
        ca_hash=options.ca_hash,
    )
    path = options.config or layout.config(options.role)
    if options.config or os.access(path, os.R_OK):
        made = _by_agent(made, path, options) if options.role == "agent" else _by_master(made, path)
    elif options.role == "master":
        made = replace(made, ports=("6443/tcp", "6444/tcp"))
    return replace(made, engine_socket=options.engine_socket) if options.engine_socket else made


def _by_agent(made: Subject, path: Path, options: argparse.Namespace) -> Subject:
    from agent.survey import member_of
    from host.membership.agent_toml import known

    config = known(path)
    # Only root may look; who else asks finds that out from the finding.
    member = member_of(config.state_dir) if os.geteuid() == 0 else ""
    return replace(
        made,
        node_name=options.node_name or config.node_name,
        state_dir=config.state_dir,
        node_address=options.node_address or config.node_address,
        engine_socket=config.engine_socket,
        # A member has its name and its address by right: nothing to ask of them.
        token="" if member else made.token,
        master=made.master or config.master,
    )


def _by_master(made: Subject, path: Path) -> Subject:
    import tomllib
    from ipaddress import IPv4Network

    from host.preflight.facts import Cidrs

    # Not by master.config: only its entry module is the command's to know, and a few values are all that is asked.
    values = tomllib.loads(path.read_text())
    ports = (values.get("api_port", 6443), values.get("session_port", 6444))
    cluster = IPv4Network(values.get("cluster_cidr", made.cidrs.cluster))
    service = IPv4Network(values.get("service_cidr", made.cidrs.service))
    return replace(
        made,
        state_dir=Path(values.get("data_dir", made.state_dir)),
        ports=tuple(f"{port}/tcp" for port in ports),
        cidrs=Cidrs(cluster, service, asked=True),
    )
