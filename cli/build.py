"""`sampan build`, which exists in a checkout only: the wheels and the bundle of a release."""

import argparse
from pathlib import Path
from typing import Any, Final

from cli.parsing import add_command

_DIST: Final = Path("dist")


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers,
        "build",
        description="Build the three wheels of this checkout, and the bundle that installs a host offline.",
    )
    parser.add_argument("--dist", type=Path, default=_DIST, metavar="DIR", help="where to put them; default: dist/")
    parser.add_argument("--python", default="", metavar="3.13", help="Python of the hosts; default: this one")
    parser.add_argument("--packages", type=Path, metavar="DIR", help="take third parties' wheels from there, offline")
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
