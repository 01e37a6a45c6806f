"""`sampan test` and `sampan bench`, which exist in a checkout only."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli import exits

ROOT: Final = Path(__file__).resolve().parent.parent
TIERS: Final[Mapping[str, Sequence[str]]] = {
    "unit": ("tests/unit",),
    "kernel": ("tests/kernel", "tests/examples"),
    "cluster": ("tests/cluster",),
    "machine": ("tests/machine",),
}
"""In this order: what fails fast and says most comes first."""

_EXITS: Final[Mapping[int, int]] = {0: exits.OK, 2: exits.INTERRUPTED, 4: exits.USAGE}
"""pytest's exit codes as ours; every other one is a failure."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    test = subparsers.add_parser(
        "test",
        usage="sampan test [TIER …] [PYTEST ARGUMENT …]",
        help="install what the tests need, and run all of them",
        description=f"Tiers: {', '.join(TIERS)} (all, in this order). Everything else is pytest's: -k join -x, a file; "
        "and --long, for ten times as many random faults, --seed N for those of a run that failed.",
    )
    test.set_defaults(run=_test)
    bench = subparsers.add_parser("bench", help="measure, and compare with what is asked")
    bench.add_argument("areas", nargs="*", metavar="AREA", help="some areas (all)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    bench.set_defaults(run=_bench)


def selection(words: Sequence[str]) -> list[str]:
    """What pytest is given for the words behind `test`: leading tiers become directories, the rest stays.

    Where nothing says which tests, all tiers are meant.
    """
    paths: list[str] = []
    rest = list(words)
    while rest and rest[0] in TIERS:
        paths.extend(TIERS[rest.pop(0)])
    if not paths and not any(word.startswith("tests/") for word in rest):
        paths = [path for tier in TIERS.values() for path in tier]
    return [*paths, *rest]


def _test(options: argparse.Namespace) -> int:
    """All tiers in one run of pytest: its last line counts them all, and no tier's failure hides another's."""
    from cli.install import install_for_machines, install_for_tests
    from cli.progress import Progress

    arguments = selection(options.rest)
    progress = Progress()
    if any(word.startswith(("tests/kernel", "tests/examples", "tests/cluster", "tests/machine")) for word in arguments):
        install_for_tests(progress)
    if any(word.startswith("tests/machine") for word in arguments):
        install_for_machines(progress)
    scratch = tempfile.mkdtemp(prefix="sampan-test-")
    code = _run([sys.executable, "-m", "pytest", *arguments], PYTEST_DEBUG_TEMPROOT=scratch)
    if code != exits.FAILED:  # then it may show what went wrong
        shutil.rmtree(scratch, ignore_errors=True)
    return _EXITS.get(code, exits.FAILED)


def _bench(options: argparse.Namespace) -> int:
    from cli.install import install_missing
    from cli.progress import Progress

    install_missing(Progress())
    extra = ["--json", str(options.json.absolute())] if options.json else []
    return _run([sys.executable, "-m", "tests.bench", *options.areas, *extra])


def _run(command: Sequence[str], **environment: str) -> int:
    """The child's exit code; that of one ended by a signal as shells tell it.

    Ctrl-C reaches the child as well, and it removes its labs then: it is waited for.
    """
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}) as child:
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue
            return code if code >= 0 else 128 - code
