"""`sampan test`: the tiers, which tests a command line selects, and the order in which a whole run starts them.

A whole run is several runs of pytest in parallel on two cores. Most tests wait for processes that start or for time to
pass: a test with a cluster computes for a quarter of its time, one with machines for two thirds. So three of the former
run at a time, and two of the latter after Vagrant's machines, which start first. They take longest, and the run ends
with them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cli import exits
from cli.progress import Progress
from tests.runner import child
from tests.runner.requirements import install_for
from tests.runner.sidebyside import Run, SideBySide

TIERS: Final[Mapping[str, Sequence[str]]] = {
    "unit": ("tests/unit",),
    "service": ("tests/service",),
    "kernel": ("tests/kernel", "tests/examples"),
    "cluster": ("tests/cluster",),
    "machine": ("tests/machine",),
}
"""In the order of a run: tests that are fast and point at the cause come first."""

_ON_REQUEST: Final[Mapping[str, Sequence[str]]] = {"clients": ("tests/clients",)}
"""Tiers that a run without arguments leaves out: their tests need programs that are built beforehand."""

VM: Final = "--vm"
_VM_TESTS: Final = "tests/vm"
"""Not one of the tiers, which people run often: these tests take half an hour."""

_VAGRANT: Final = ("tests/machine/test_vagrant.py", "tests/machine/test_vagrant_bundle.py")
_BY_FILE: Final = ("--dist", "loadfile", "--no-loadscope-reorder")
"""The tests of a file stay together, as they share a cluster or machines. The longest files come first."""
_THREE_AT_ONCE: Final = ("-n", "3", *_BY_FILE)
_TWO_AT_ONCE: Final = ("-n", "2", *_BY_FILE)

_SLOWEST: Final = ("--durations=10", "--durations-min=10")
_INTERRUPTED: Final = 2
_EXITS: Final[Mapping[int, int]] = {0: exits.OK, _INTERRUPTED: exits.INTERRUPTED, 4: exits.USAGE}
"""pytest's exit code → the command's; every other code is a failure."""


def selection(words: Sequence[str]) -> list[str]:
    """The arguments of pytest for the words after `test`: leading tiers become directories, the rest is unchanged.

    Without a tier or a path below tests/ all tiers are selected, except those on request.
    """
    rest = [word for word in words if word != VM]
    paths: list[str] = []
    tiers = {**TIERS, **_ON_REQUEST}
    while rest and rest[0] in tiers:
        paths.extend(tiers[rest.pop(0)])
    if VM in words:
        paths.append(_VM_TESTS)
    if not paths and not any(word.startswith("tests/") for word in rest):
        paths = [path for tier in TIERS.values() for path in tier]
    return [*paths, *rest]


def run(words: Sequence[str]) -> int:
    """Run the selected tests; the exit code. With words this is one run of pytest, whose last line has the counts."""
    scratch = Path(tempfile.mkdtemp(prefix="sampan-test-"))
    progress = Progress()
    if words:
        install_for(selection(words), progress)
        code = child.run(_pytest(f"--shared={scratch}", *selection(words)), PYTEST_DEBUG_TEMPROOT=str(scratch))
    else:
        code = _run_all(progress, scratch)
    if code != exits.FAILED:  # the files of failed tests may show the cause
        shutil.rmtree(scratch, ignore_errors=True)
    return _EXITS.get(code, exits.FAILED)


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _run_all(progress: Progress, scratch: Path) -> int:
    def prepared(name: str, *arguments: str) -> Run:
        (scratch / name).mkdir()
        own = {"PYTHONPATH": str(child.ROOT), "PYTEST_DEBUG_TEMPROOT": str(scratch / name)}
        return Run(name, _pytest(f"--shared={scratch}", *arguments, *_SLOWEST), own)

    runs = SideBySide(scratch, root=child.ROOT, say=progress.say)
    try:
        with runs:
            unit = runs.start(prepared("unit", *TIERS["unit"]))
            install_for(selection([]), progress)
            vagrant = runs.start(prepared("vagrant", *_VAGRANT))
            others = [f"--ignore={path}" for path in _VAGRANT]
            runs.start(prepared("cluster", *TIERS["cluster"], *_THREE_AT_ONCE))
            runs.start(prepared("machine", *TIERS["machine"], *others, *_TWO_AT_ONCE), after=vagrant)
            runs.start(prepared("service", *TIERS["service"]))
            runs.start(prepared("kernel", *TIERS["kernel"]), after=unit)
            runs.wait()
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        runs.show()
    return next((exits.FAILED if run.code is None else run.code for run in runs.runs if run.code != 0), exits.OK)
