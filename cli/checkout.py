"""`sampan test` and `sampan bench`, which exist in a checkout only."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    """What is asked for is one run of pytest: its last line counts it. Everything is two, side by side."""
    from cli.install import install_for_machines, install_for_tests
    from cli.progress import Progress

    arguments = selection(options.rest)
    progress = Progress()
    if any(word.startswith(("tests/kernel", "tests/examples", "tests/cluster", "tests/machine")) for word in arguments):
        install_for_tests(progress)
    if any(word.startswith("tests/machine") for word in arguments):
        install_for_machines(progress)
    scratch = tempfile.mkdtemp(prefix="sampan-test-")
    code = _run(_pytest(*arguments), PYTEST_DEBUG_TEMPROOT=scratch) if options.rest else _run_all(Path(scratch))
    if code != exits.FAILED:  # then it may show what went wrong
        shutil.rmtree(scratch, ignore_errors=True)
    return _EXITS.get(code, exits.FAILED)


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _run_all(scratch: Path) -> int:
    """The unit tier needs the processor, the others wait most of their time: beside them it costs no time.

    Its output follows theirs, as soon as both have ended.
    """
    others = [path for tier, paths in TIERS.items() if tier != "unit" for path in paths]
    with ThreadPoolExecutor(1) as pool, (scratch / "unit.log").open("w+b") as log:
        unit = pool.submit(
            _run, _pytest(*TIERS["unit"]), output=log.fileno(), PYTEST_DEBUG_TEMPROOT=str(_directory(scratch, "unit"))
        )
        codes = [_run(_pytest(*others), PYTEST_DEBUG_TEMPROOT=str(_directory(scratch, "others"))), unit.result()]
        log.seek(0)
        shutil.copyfileobj(log, sys.stdout.buffer)
        sys.stdout.flush()
    return next((code for code in codes if code), 0)


def _directory(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def _bench(options: argparse.Namespace) -> int:
    from cli.install import install_for_tests
    from cli.progress import Progress

    install_for_tests(Progress())
    extra = ["--json", str(options.json.absolute())] if options.json else []
    return _run([sys.executable, "-m", "tests.bench", *options.areas, *extra])


def _run(command: Sequence[str], output: int | None = None, **environment: str) -> int:
    """The child's exit code; that of one ended by a signal as shells tell it. `output`: a descriptor for all it says.

    Ctrl-C reaches the child as well, and it removes its labs then: it is waited for.
    """
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=output, stderr=output) as child:
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue
            return code if code >= 0 else 128 - code
