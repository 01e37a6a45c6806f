"""Options that several commands share, and what they mean."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import parsing
from cli.exits import WrongUse

if TYPE_CHECKING:
    from client.rest import RestClient


DEFAULT_LAB: Final = "default"
_MASTER_CONFIG: Final = Path("/etc/sampan/master.toml")


def add_lab(parser: argparse.ArgumentParser) -> None:
    """`--lab`: which lab; SAMPAN_LAB, or `default`."""
    parser.add_argument(
        "--lab",
        type=parsing.lab_name,
        default=os.environ.get("SAMPAN_LAB") or DEFAULT_LAB,
        metavar="NAME",
        help=f"the lab; default: $SAMPAN_LAB, then {DEFAULT_LAB}",
    )


def add_access(parser: argparse.ArgumentParser) -> None:
    """`--kubeconfig` and `--lab`: which cluster to speak to."""
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, then the lab's, then this host's"
    )
    add_lab(parser)


def add_master(parser: argparse.ArgumentParser) -> None:
    """`--data-dir`, `--config` and `--lab`: which master of this host."""
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="default: the configuration's")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"default: {_MASTER_CONFIG}, then that of the lab's master"
    )
    add_lab(parser)


def master_data_dir(options: argparse.Namespace) -> Path:
    """The data directory of the master that the options mean. Raises FileNotFoundError when nothing names it."""
    if options.data_dir is not None:
        return Path(options.data_dir)
    config = options.config or _MASTER_CONFIG
    if os.access(config, os.R_OK):
        from master.config import load

        return load(config).data_dir
    if options.config is None:
        from lab.lab import Lab

        lab = Lab(options.lab)
        if lab.exists:
            return lab.layout.host(lab.state.master.name).master_data
    raise FileNotFoundError(f"cannot read the master's configuration {config}; use --data-dir or --config")


def add_output(parser: argparse.ArgumentParser, plain: str = "table") -> None:
    """`-o`: the output format, for people (`plain`: "table" or "text") or for programs."""
    parser.add_argument(
        "-o", "--output", choices=(plain, "json"), default=plain, help=f"the output format; default: {plain}"
    )


def show(options: argparse.Namespace, document: Any, render: Callable[[], str]) -> None:
    """Print the result of a command in the format that was asked for."""
    print(json.dumps(document, indent=2) if options.output == "json" else render())


def kubeconfig_path(options: argparse.Namespace) -> Path:
    """The first of: the named file, the environment's, the lab's, that of this host's master, the user's."""
    from host.layout import HostLayout
    from host.services import configured
    from lab.errors import NotFound
    from lab.layout import Layout

    if options.kubeconfig:
        return Path(options.kubeconfig)
    first = os.environ.get("KUBECONFIG", "").split(":")[0]
    if first:
        return Path(first)
    host, own = HostLayout(), Path.home() / ".kube" / "config"
    masters = configured.state("master", host) / "admin.kubeconfig"
    layout = Layout(options.lab)
    if layout.name != DEFAULT_LAB and not layout.state_file.exists():
        raise NotFound(f"there is no lab {layout.name}")
    for path in (layout.kubeconfig, masters):
        if os.access(path, os.R_OK):
            return path
    # A user who may not read the master's kubeconfig gets an error that names it.
    return masters if host.config("master").exists() and not own.exists() else own


def has_cluster() -> bool:
    """Whether a cluster outside of labs can be reached: this is a master's host, or the user has a kubeconfig."""
    from host.layout import HostLayout

    named = bool(os.environ.get("KUBECONFIG"))
    return named or HostLayout().config("master").exists() or (Path.home() / ".kube" / "config").exists()


def open_client(options: argparse.Namespace) -> "RestClient":
    """A client for that cluster that prints the API's warnings."""
    return client_of(kubeconfig_path(options))


def client_of(kubeconfig: Path) -> "RestClient":
    from client.kubeconfig import load_kubeconfig
    from client.rest import RestClient

    return RestClient(load_kubeconfig(kubeconfig), on_warning=warn)


def warn(text: str) -> None:
    import sys

    print(f"Warning: {text}", file=sys.stderr)


def read_token(option: str) -> str:
    """`-` stands for a line of stdin, because every user of a host can read the arguments of its processes.

    Raises WrongUse.
    """
    if option != "-":
        return option
    try:
        return input().strip()
    except EOFError:
        raise WrongUse("--token - reads the token from stdin, which is empty") from None
