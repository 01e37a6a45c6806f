"""`sampan kubeconfig`: how kubectl reaches the cluster."""

import argparse
from typing import Any

from cli.options import add_access, kubeconfig_path


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser("kubeconfig", help="print the cluster's kubeconfig, or its path")
    parser.add_argument(
        "--path", action="store_true", help="its path only: export KUBECONFIG=$(sampan kubeconfig --path)"
    )
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.kubeconfig import load_kubeconfig

    path = kubeconfig_path(options)
    load_kubeconfig(path)  # says what is wrong with it, if something is
    print(path if options.path else path.read_text(), end="\n" if options.path else "")
    return 0
