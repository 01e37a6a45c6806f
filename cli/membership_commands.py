"""`sampan join`, `leave`, `reset`: make this host a node, or clean it. The work is in host/membership."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from cli.options import read_token
from cli.parsing import add_command, ipv4, node_name, seconds
from host.layout import HostLayout

if TYPE_CHECKING:
    from host.membership.machine import Host

_CONFIG: Final = HostLayout().config("agent")
_STATE: Final = HostLayout().state("agent")
_ENGINE: Final = Path("/var/run/docker.sock")


def add(subparsers: argparse._SubParsersAction[Any]) -> None:
    _add_join(subparsers)
    _add_leave(subparsers)
    reset = add_command(subparsers, "reset")
    _add_config(reset)
    reset.add_argument("--force", action="store_true", help="go on if something cannot be removed")
    _add_unconfigured(reset)
    reset.add_argument(
        "--node-name", type=node_name, metavar="NAME", help="the node's name, if the configuration is missing"
    )
    reset.set_defaults(run=_reset)


def _add_leave(subparsers: argparse._SubParsersAction[Any]) -> None:
    leave = add_command(subparsers, "leave")
    _add_config(leave)
    _add_unconfigured(leave)
    leave.add_argument(
        "--drain-timeout",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="how long to wait for pods to end; 0 does not wait; default: 120",
    )
    leave.set_defaults(run=_leave)


def _add_join(subparsers: argparse._SubParsersAction[Any]) -> None:
    join = add_command(
        subparsers,
        "join",
        description="Make this host a node of a cluster. With ADDRESS: check the host, write the configuration, join, "
        "start the agent's unit if it is installed, and wait until the node is Ready. Without ADDRESS: join with the "
        "existing configuration, and exit.",
    )
    join.add_argument("address", nargs="?", metavar="ADDRESS", help="the master's address: HOST or HOST:PORT")
    _add_config(join)
    join.add_argument("--token", required=True, help="printed by `sampan token create`; - reads it from stdin")
    join.add_argument("--ca-hash", required=True, metavar="sha256:HEX", help="hash of the cluster's CA key")
    join.add_argument("--node-name", type=node_name, metavar="NAME", help="default: the host's name")
    join.add_argument("--node-address", type=ipv4, metavar="IPV4", help="default: that of the route to the master")
    join.add_argument("--engine-socket", default="", metavar="SOCKET", help=f"default: {_ENGINE}")
    join.add_argument("--state-dir", default="", metavar="DIR", help=f"default: {_STATE}")
    join.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the node to be Ready; default: 60",
    )
    join.add_argument(
        "--ignore-preflight-errors", default="", metavar="ID,…|all", help="join in spite of these findings"
    )
    join.set_defaults(run=_join)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=_CONFIG, metavar="FILE", help=f"TOML; default: {_CONFIG}")


def _add_unconfigured(parser: argparse.ArgumentParser) -> None:
    unconfigured = "if the configuration is missing; default: {}"
    parser.add_argument("--state-dir", type=Path, default=_STATE, metavar="DIR", help=unconfigured.format(_STATE))
    parser.add_argument(
        "--engine-socket", type=Path, default=_ENGINE, metavar="SOCKET", help=unconfigured.format(_ENGINE)
    )


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
        "node_name": options.node_name or "",
        "master": master_url(options.address),
        "node_address": options.node_address or "",
        "engine_socket": options.engine_socket,
    }
    request = JoinRequest(
        config_path=options.config,
        settings=settings,
        token=token,
        ca_hash=options.ca_hash,
        ignored=[identifier for identifier in options.ignore_preflight_errors.split(",") if identifier],
        timeout_s=options.timeout,
    )
    return _run(lambda host: membership.join(host, request))


def _join_only(config: Path, token: str, ca_hash: str) -> int:
    if not os.access(config, os.R_OK):
        raise FileNotFoundError(f"cannot read the configuration {config}")
    from agent.host import join

    return join(config, token, ca_hash)


def _leave(options: argparse.Namespace) -> int:
    _require_root()
    from host.membership import leave as departure

    request = departure.LeaveRequest(options.config, options.state_dir, options.engine_socket, options.drain_timeout)
    return _run(lambda host: departure.leave(host, request))


def _reset(options: argparse.Namespace) -> int:
    _require_root()
    from host.membership import leave as departure

    request = departure.ResetRequest(
        options.config, options.state_dir, options.engine_socket, options.node_name or "", options.force
    )
    return _run(lambda host: departure.reset(host, request))


def _run(work: Callable[[Host], object]) -> int:
    """Do the work on this host; the errors of host.membership have exit codes of their own."""
    # gRPC's core writes to stderr itself; what matters arrives as exceptions.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
    from host.membership.machine import Host
    from host.membership.unit import agent_unit

    host = Host(unit=agent_unit(HostLayout()), say=_say)
    try:
        work(host)
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
