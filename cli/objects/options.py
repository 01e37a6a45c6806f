"""Options that the commands about objects share."""

import argparse
from typing import Any

from cli.objects.references import References
from cli.options import add_access


def add_references(parser: argparse.ArgumentParser, *, nargs: str = "+") -> None:
    parser.add_argument(
        "objects",
        nargs=nargs,
        action=References,
        default=[],
        metavar="TYPE|NAME",
        help="TYPE/NAME …, or TYPE[,TYPE] [NAME …], such as pod/web or deploy web",
    )


def add_place(parser: argparse.ArgumentParser, *, everywhere: bool = True) -> None:
    """`-n`, `-A` and the options of access."""
    parser.add_argument("-n", "--namespace", default="", help="default: the kubeconfig's, then `default`")
    if everywhere:
        parser.add_argument("-A", "--all-namespaces", action="store_true", help="the objects of all namespaces")
    add_access(parser)


def add_selectors(parser: argparse.ArgumentParser, *, fields: bool = True) -> None:
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="only these: app=web,tier!=test")
    if fields:
        parser.add_argument("--field-selector", default="", metavar="FIELDS", help="only these: status.phase=Running")


def selectors(options: argparse.Namespace) -> dict[str, str]:
    """The query of a list."""
    given: dict[str, Any] = {
        "labelSelector": options.selector,
        "fieldSelector": getattr(options, "field_selector", ""),
    }
    return {name: text for name, text in given.items() if text}
