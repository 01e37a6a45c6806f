"""`sampan test` and `sampan bench`, which exist in a checkout only: parses, and hands over to tests/runner."""

import argparse
from pathlib import Path
from typing import Any

from cli.parsing import add_command


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    test = add_command(
        subparsers,
        "test",
        usage="sampan test [TIER …|clients] [--vm] [PYTEST ARGUMENT …]",
        description="Tiers: unit, service, kernel, cluster, machine (without a tier: all of them, side by side). "
        "Everything else goes to pytest: -k join -x, a file; --long adds the tests that take longer than 20 seconds "
        "and ten times as many random faults; --seed N repeats the random faults of a run that failed. --vm: the tests "
        "in virtual machines, and of the others only those that are named; the first time it builds the machines' "
        "images, for about seven minutes. clients: kubectl, Helm, a client-go informer and the Python client against "
        "the API server, from the directory in SAMPAN_CLIENTS; CONTRIBUTING.md says how to fill it.",
    )
    test.set_defaults(run=_test)
    bench = add_command(subparsers, "bench")
    bench.add_argument("areas", nargs="*", metavar="AREA", help="some areas (all)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    bench.set_defaults(run=_bench)


def _test(options: argparse.Namespace) -> int:
    from tests.runner import tiers

    return tiers.run(options.rest)


def _bench(options: argparse.Namespace) -> int:
    from tests.runner import bench

    return bench.run(options.areas, options.json)
