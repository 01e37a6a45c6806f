"""`sampan master`, `sampan agent`: run a daemon in this process. A failing service waits before it starts."""

import argparse
import os
from pathlib import Path
from typing import Any

from cli.parsing import Parser, add_command
from hull import logs, notify, restarts


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    master = add_command(subparsers, "master", description="Run a master until SIGTERM.")
    _add_config(master, "master.toml")
    master.set_defaults(run=_master)
    agent = add_command(
        subparsers, "agent", description="Run this host's agent until SIGTERM. Containers keep running afterwards."
    )
    _add_config(agent, "agent.toml")
    agent.add_argument(
        "--join-token-file",
        type=Path,
        metavar="FILE",
        help="a file of two lines, token and CA hash; used if the host has not joined yet",
    )
    agent.set_defaults(run=_agent)


def _add_config(parser: Parser, name: str) -> None:
    path = Path("/etc/sampan") / name
    parser.add_argument("--config", type=Path, default=path, metavar="FILE", help=f"TOML; default: {path}")


def _master(options: argparse.Namespace) -> int:
    with restarts.counted("sampan-master"):
        path = _readable(options.config)
        from master.main import run

        return run(path, configure_log=logs.configure, supervised=notify.supervised)


def _agent(options: argparse.Namespace) -> int:
    with restarts.counted("sampan-agent"):
        path = _readable(options.config)
        from agent.main import run

        return run(
            path, join_token_file=options.join_token_file, configure_log=logs.configure, supervised=notify.supervised
        )


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK):
        raise FileNotFoundError(f"cannot read the configuration {path}")
    return path
