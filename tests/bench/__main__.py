"""`python -m tests.bench [AREA...] [--json FILE]`: measures, prints the table, and writes the figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from pathlib import Path

from tests.bench.figure import Figure, table

AREAS = ("house", "api", "dispatch", "cluster", "pod", "agent", "fault", "lab", "memory", "cpu", "real", "test")
"""Areas in the order in which they run; `memory` and `cpu` share one cluster, `test` is last as it takes longest."""


def main(argv: list[str]) -> int:
    """Exit code 0: all goals met; 1: one was missed; 2: usage."""
    parser = argparse.ArgumentParser(prog="sampan bench", description="Measure the project's figures.")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"one of {', '.join(AREAS)}; all when none is named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args(argv)
    unknown = [area for area in options.areas if area not in AREAS]
    if unknown:
        parser.error(f"no area {unknown[0]!r}: there are {', '.join(AREAS)}")
    # The areas end what they have started when Python ends by an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    figures: list[Figure] = []
    for area in options.areas or AREAS:
        print(f"measuring {area} ...", file=sys.stderr, flush=True)
        for figure in importlib.import_module(f"tests.bench.areas.{area}").measure():
            figures.append(figure)
            print(f"  {figure.area}/{figure.name} = {figure.value:.3g} {figure.unit}", file=sys.stderr, flush=True)
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps([figure.to_json() for figure in figures], indent=2) + "\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
