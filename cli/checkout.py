"""`sampan test` and `sampan bench`, which exist in a checkout only."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli import exits
from cli.progress import Progress
from cli.sidebyside import Run, SideBySide

ROOT: Final = Path(__file__).resolve().parent.parent
TIERS: Final[Mapping[str, Sequence[str]]] = {
    "unit": ("tests/unit",),
    "kernel": ("tests/kernel", "tests/examples"),
    "cluster": ("tests/cluster",),
    "machine": ("tests/machine",),
}
"""In this order: what fails fast and says most comes first."""

VM: Final = "--vm"
_VM_TESTS: Final = "tests/vm"
"""No tier: everything is what one runs often, and these take half an hour."""

TWO_AT_ONCE: Final = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")
"""Tests of one class or file stay together, as they share clusters."""

_INTERRUPTED: Final = 2
_EXITS: Final[Mapping[int, int]] = {0: exits.OK, _INTERRUPTED: exits.INTERRUPTED, 4: exits.USAGE}
"""pytest's exit codes as ours; every other one is a failure."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    test = subparsers.add_parser(
        "test",
        usage="sampan test [TIER …] [--vm] [PYTEST ARGUMENT …]",
        help="install what the tests need, and run all of them",
        description=f"Tiers: {', '.join(TIERS)} (all, in this order). Everything else is pytest's: -k join -x, a file; "
        "and --long, for ten times as many random faults, --seed N for those of a run that failed. "
        f"{VM}: the tests in virtual machines, and of the others only what is named; the first time it builds the "
        "machines' images, for about seven minutes.",
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
    rest = [word for word in words if word != VM]
    paths: list[str] = []
    while rest and rest[0] in TIERS:
        paths.extend(TIERS[rest.pop(0)])
    if VM in words:
        paths.append(_VM_TESTS)
    if not paths and not any(word.startswith("tests/") for word in rest):
        paths = [path for tier in TIERS.values() for path in tier]
    return [*paths, *rest]


def _test(options: argparse.Namespace) -> int:
    """What is asked for is one run of pytest: its last line counts it. Everything is several, side by side."""
    scratch = Path(tempfile.mkdtemp(prefix="sampan-test-"))
    progress = Progress()
    if options.rest:
        _install(progress, selection(options.rest))
        code = _run(_pytest(*selection(options.rest)), PYTEST_DEBUG_TEMPROOT=str(scratch))
    else:
        code = _run_all(progress, scratch)
    if code != exits.FAILED:  # then it may show what went wrong
        shutil.rmtree(scratch, ignore_errors=True)
    return _EXITS.get(code, exits.FAILED)


def _install(progress: Progress, arguments: Sequence[str]) -> None:
    from cli.packages import install_for_machines, install_for_tests, install_for_vms

    if any(word.startswith(("tests/kernel", "tests/examples", "tests/cluster", "tests/machine")) for word in arguments):
        install_for_tests(progress)
    if any(word.startswith("tests/machine") for word in arguments):
        install_for_machines(progress)
    if any(word.startswith(_VM_TESTS) for word in arguments):
        install_for_vms(progress)


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _run_all(progress: Progress, scratch: Path) -> int:
    """The unit tier needs the processor and nothing else, so it begins before what the others need is installed.

    The others mostly wait. Of the clusters' tests two run at a time, each on a cluster of its own; the kernel's, which
    look at milliseconds, come when the processor is theirs again.
    """

    def run(tier: str, *options: str) -> Run:
        (scratch / tier).mkdir()
        own = {"PYTHONPATH": str(ROOT), "PYTEST_DEBUG_TEMPROOT": str(scratch / tier)}
        return Run(tier, _pytest(*TIERS[tier], *options), own)

    runs = SideBySide(scratch, root=ROOT, say=progress.say)
    try:
        with runs:
            unit = runs.start(run("unit"))
            _install(progress, selection([]))
            runs.start(run("kernel"), after=unit)
            runs.start(run("cluster", *TWO_AT_ONCE))
            for tier in TIERS:
                if tier not in ("unit", "kernel", "cluster"):
                    runs.start(run(tier))
            runs.wait()
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        runs.show()
    return next((exits.FAILED if each.code is None else each.code for each in runs.runs if each.code != 0), exits.OK)


def _bench(options: argparse.Namespace) -> int:
    from cli.packages import install_for_machines, install_for_tests

    install_for_tests(Progress())
    if not options.areas or "real" in options.areas:
        install_for_machines(Progress())
    extra = ["--json", str(options.json.absolute())] if options.json else []
    return _run([sys.executable, "-m", "tests.bench", *options.areas, *extra])


def _run(command: Sequence[str], **environment: str) -> int:
    """The child's exit code; that of one ended by a signal as shells tell it.

    Ctrl-C reaches the child as well, and SIGTERM is passed on: the child removes its labs then, and is waited for.
    """
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(command, cwd=ROOT, env=surroundings) as child:
        before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            while True:
                try:
                    code = child.wait()
                except KeyboardInterrupt:
                    continue
                return code if code >= 0 else 128 - code
        finally:
            signal.signal(signal.SIGTERM, before)
