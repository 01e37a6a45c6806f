"""`sampan down`: removes a lab with everything in it, engines included; only the caches stay."""

import argparse
from typing import Any

from cli.options import add_lab
from cli.parsing import add_command
from cli.progress import Progress


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    parser = add_command(
        subparsers, "down", description="Remove a lab with everything in it, engines included. Only the caches stay."
    )
    add_lab(parser)
    parser.set_defaults(run=lambda options: remove(options.lab))


def remove(name: str) -> int:
    """Remove the lab of this name, if there is one; the exit code."""
    from hull.processes import wait_reaped
    from lab.lab import delete, leftovers
    from lab.layout import Layout
    from lab.state import command_lock

    with command_lock(Layout(name)):
        if not any(leftovers(name)):
            print(f"there is no lab {name}")
            return 0
        with Progress().step(f"remove lab {name}"):
            wait_reaped(delete(name), timeout_s=5.0)
    return 0
