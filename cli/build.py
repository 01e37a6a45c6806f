"""`sampan build`, which exists in a checkout only: the wheels and the bundle of a release."""

import argparse
from pathlib import Path
from typing import Any, Final

_DIST: Final = Path("dist")


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = subparsers.add_parser(
        "build",
        help="build the wheels and the bundle of this checkout",
        description="Builds the three wheels of this checkout, and the bundle that installs a host offline. "
        "Example: sampan build --dist /tmp/dist",
    )
    parser.add_argument("--dist", type=Path, default=_DIST, metavar="DIR", help="where to put them (dist/)")
    parser.add_argument("--python", default="", metavar="3.13", help="hosts' Python, for the bundle (this one's)")
    parser.add_argument("--packages", type=Path, metavar="DIR", help="take the wheels of others from there, offline")
    parser.set_defaults(run=_build)


def _build(options: argparse.Namespace) -> int:
    from cli.progress import Progress
    from host import bundle
    from host.system import Commands

    for path in bundle.make_all(
        options.dist, Commands(), python=options.python, packages=options.packages, step=Progress().step
    ):
        print(path)
    return 0
