"""`sampan kubeconfig`: prints the file with which kubectl reaches the cluster."""

import argparse
from typing import Any

from cli.options import add_access, kubeconfig_path
from cli.parsing import add_command


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(subparsers, "kubeconfig")
    parser.add_argument("--path", action="store_true", help="print only the path")
    add_access(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from client.kubeconfig import load_kubeconfig

    path = kubeconfig_path(options)
    load_kubeconfig(path)  # raises BadKubeconfig when kubectl could not use it
    print(path if options.path else path.read_text(), end="\n" if options.path else "")
    return 0
