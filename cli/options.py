"""Options that several subcommands share, and what they mean."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from client.rest import RestClient


DEFAULT_LAB: Final = "default"


def add_lab(parser: argparse.ArgumentParser) -> None:
    """`--lab`: which lab; SAMPAN_LAB, or `default`."""
    parser.add_argument(
        "--lab",
        default=os.environ.get("SAMPAN_LAB") or DEFAULT_LAB,
        metavar="NAME",
        help=f"the lab; else $SAMPAN_LAB, else {DEFAULT_LAB}",
    )


def add_access(parser: argparse.ArgumentParser) -> None:
    """`--kubeconfig` and `--lab`: which cluster to speak to."""
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="else $KUBECONFIG, else the lab's")
    add_lab(parser)


def kubeconfig_path(options: argparse.Namespace) -> Path:
    """The file that the options mean: named, from the environment, the lab's, of this host's master, or the user's."""
    from host.layout import HostLayout
    from host.services import configured
    from lab.layout import Layout

    if options.kubeconfig:
        return Path(options.kubeconfig)
    first = os.environ.get("KUBECONFIG", "").split(":")[0]
    if first:
        return Path(first)
    host, own = HostLayout(), Path.home() / ".kube" / "config"
    masters = configured.state("master", host) / "admin.kubeconfig"
    for path in (Layout(options.lab).kubeconfig, masters):
        if os.access(path, os.R_OK):
            return path
    # Who may not read the master's own is to hear of that.
    return masters if host.config("master").exists() and not own.exists() else own


def has_cluster() -> bool:
    """Whether somebody without a lab has a cluster here: the master's host, or a user with a kubeconfig."""
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
    """`-` stands for a line of stdin: everybody on a host reads the arguments of its processes. Raises ValueError."""
    if option != "-":
        return option
    try:
        return input().strip()
    except EOFError:
        raise ValueError("--token - reads the token from stdin, and there is none") from None
