"""`sampan master`, `sampan agent`: start a daemon in this process; as a service, not too often when it fails."""

import argparse
import os
from pathlib import Path
from typing import Any

from cli import logs
from hull import notify
from hull import restarts as backoff


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    master = subparsers.add_parser("master", help="run a master until SIGTERM")
    _add_config(master, "master.toml")
    master.set_defaults(run=_master)
    agent = subparsers.add_parser("agent", help="run this host's agent until SIGTERM; containers stay")
    _add_config(agent, "agent.toml")
    agent.add_argument(
        "--join-token-file",
        type=Path,
        metavar="FILE",
        help="token and CA hash, a line each; used when the host is no member yet",
    )
    agent.set_defaults(run=_agent)


def _add_config(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--config", type=Path, default=Path("/etc/sampan") / name, metavar="FILE", help="TOML")


def _master(options: argparse.Namespace) -> int:
    with backoff.counted("sampan-master"):
        path = _readable(options.config)
        from master.main import run

        return run(path, configure_log=logs.configure, supervised=notify.supervised)


def _agent(options: argparse.Namespace) -> int:
    with backoff.counted("sampan-agent"):
        path = _readable(options.config)
        from agent.main import run

        return run(
            path, join_token_file=options.join_token_file, configure_log=logs.configure, supervised=notify.supervised
        )


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK):
        raise FileNotFoundError(f"cannot read the configuration {path}")
    return path
