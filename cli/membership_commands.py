"""`sampan join`, `leave`, `reset`: this host becomes a node, or is one no more. host/membership/join*.py do it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import read_token
from host.layout import HostLayout

if TYPE_CHECKING:
    from host.membership.machine import Host

_CONFIG: Final = HostLayout().config("agent")
_STATE: Final = HostLayout().state("agent")
_ENGINE: Final = Path("/var/run/docker.sock")


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    _add_join(subparsers)
    leave = subparsers.add_parser("leave", help="empty and remove this node, then clean the host")
    _add_config(leave)
    _add_unconfigured(leave)
    leave.add_argument(
        "--drain-timeout", type=_seconds, default=120.0, metavar="SECONDS", help="for pods to end; 0 waits for none"
    )
    leave.set_defaults(run=_leave)
    reset = subparsers.add_parser("reset", help="clean this host of everything of a node, without a master")
    _add_config(reset)
    reset.add_argument("--force", action="store_true", help="forget the node also when something cannot be removed")
    _add_unconfigured(reset)
    reset.add_argument("--node-name", default="", metavar="NAME", help="likewise")
    reset.set_defaults(run=_reset)


def _add_join(subparsers: argparse._SubParsersAction[Any]) -> None:
    join = subparsers.add_parser(
        "join",
        help="make this host a node of a cluster, and wait until it is Ready",
        description="With ADDRESS: checks the host, writes the configuration, joins, starts the agent's unit where one "
        "is installed, and waits until the node is Ready. Without: joins by the configuration, and exits.",
    )
    join.add_argument("address", nargs="?", metavar="ADDRESS", help="the master: HOST or HOST:PORT")
    _add_config(join)
    join.add_argument("--token", required=True, help="as `sampan token create` prints it (- reads it from stdin)")
    join.add_argument("--ca-hash", required=True, metavar="sha256:HEX", help="hash of the cluster's CA key")
    join.add_argument("--node-name", default="", metavar="NAME", help="else the host's")
    join.add_argument("--node-address", default="", metavar="IPV4", help="else the one that reaches the master")
    join.add_argument("--engine-socket", default="", metavar="SOCKET", help=f"else {_ENGINE}")
    join.add_argument("--state-dir", default="", metavar="DIR", help=f"else {_STATE}")
    join.add_argument("--timeout", type=_seconds, default=60.0, metavar="SECONDS", help="for the node to be Ready")
    join.add_argument(
        "--ignore-preflight-errors", default="", metavar="ID,…|all", help="findings that do not keep from joining"
    )
    join.set_defaults(run=_join)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=_CONFIG, metavar="FILE", help="TOML")


def _add_unconfigured(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state-dir", type=Path, default=_STATE, metavar="DIR", help="where the configuration is gone")
    parser.add_argument("--engine-socket", type=Path, default=_ENGINE, metavar="SOCKET", help="likewise")


def _join(options: argparse.Namespace) -> int:
    token = read_token(options.token)
    if not options.address:
        return _join_only(options.config, token, options.ca_hash)
    _require_root()
    from host.config import master_url
    from host.membership import join as membership
    from host.membership.machine import JoinRequest

    settings = {
        "state_dir": options.state_dir,
        "node_name": options.node_name,
        "master": master_url(options.address),
        "node_address": options.node_address,
        "engine_socket": options.engine_socket,
    }
    request = JoinRequest(
        config_path=options.config,
        settings=settings,
        token=token,
        ca_hash=options.ca_hash,
        ignored=[each for each in options.ignore_preflight_errors.split(",") if each],
        timeout_s=options.timeout,
    )
    return _done(lambda here: membership.join(here, request))


def _join_only(config: Path, token: str, ca_hash: str) -> int:
    if not os.access(config, os.R_OK):
        raise FileNotFoundError(f"cannot read the configuration {config}")
    from agent.host import join

    return join(config, token, ca_hash)


def _leave(options: argparse.Namespace) -> int:
    _require_root()
    from host.membership import leave as departure

    request = departure.LeaveRequest(options.config, options.state_dir, options.engine_socket, options.drain_timeout)
    return _done(lambda here: departure.leave(here, request))


def _reset(options: argparse.Namespace) -> int:
    _require_root()
    from host.membership import leave as departure

    request = departure.ResetRequest(
        options.config, options.state_dir, options.engine_socket, options.node_name, options.force
    )
    return _done(lambda here: departure.reset(here, request))


def _done(work: Any) -> int:
    """Do it on this host; its own errors have their exit codes."""
    # gRPC's core writes past every log to stderr; what matters of it comes as errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
    from host.membership.machine import Host
    from host.membership.unit import agent_unit

    here: Host = Host(unit=agent_unit(HostLayout()), say=_say)
    try:
        work(here)
    except MembershipError as error:
        _say(f"sampan: {error}")
        match error:
            case MasterUnreachable():
                return exits.UNREACHABLE
            case HostBusy():
                return exits.BUSY
        return exits.FAILED
    return exits.OK


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise PermissionError("joining, leaving and resetting change this host")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of seconds')
    return value
