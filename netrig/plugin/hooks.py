"""The plugin's hooks: signals and sweeping at the start, skips with a reason, and the report of a failed test.

Owns the stash entry `BENCH` of tests and modules, by which hooks find the workbench of the fixtures.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from functools import partial
from subprocess import CalledProcessError
from types import FrameType
from typing import Any, Final

import pytest

from hull.errors import HullError
from netrig import topology
from netrig.errors import NetrigError, Unsupported
from netrig.plugin import requirements
from netrig.plugin.leaks import Scope
from netrig.plugin.workbench import Workbench, text_or_error
from netstack.errors import NetstackError

BENCH: Final = pytest.StashKey[Workbench]()
_SWEPT: Final = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sampan")
    group.addoption(
        "--leak-check",
        choices=[scope.value for scope in Scope],
        default=Scope.OWN.value,
        help="what a test must not leave behind: own, namespaces of this process (the default); machine, also all "
        "other namespaces and mounts, and links and packet filter rules of the machine itself, if no other process "
        "changes them; off",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Remove what a killed run left. Once per run: with xdist, only the controller does it.

    An error is only reported, as this run uses other names.
    """
    handle_signals(session.config)
    if hasattr(session.config, "workerinput"):
        return
    if os.geteuid() != 0:
        return
    report_sweep(session.config, topology.sweep)


def report_sweep(config: pytest.Config, sweep: Callable[[], Sequence[str]]) -> None:
    """Run `sweep`, which removes what killed runs left and returns the names; the result is in the run's header."""
    try:
        if swept := sweep():
            _add_line(config, f"sampan: removed what a killed run left: {', '.join(swept)}")
    except (HullError, NetrigError, NetstackError, OSError) as error:
        _add_line(config, f"sampan: cannot remove what a killed run left: {error}")


def _add_line(config: pytest.Config, line: str) -> None:
    lines: tuple[str, ...] = config.stash.get(_SWEPT, ())
    config.stash[_SWEPT] = (*lines, line)


def handle_signals(config: pytest.Config) -> None:
    """Let SIGTERM interrupt the run as Ctrl-C does, so that fixtures end and remove what they made.

    A worker of xdist handles SIGINT in the same way. A handler that the project has set stays.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    defaults: dict[int, object] = {signal.SIGTERM: signal.SIG_DFL}
    if hasattr(config, "workerinput"):
        defaults[signal.SIGINT] = signal.default_int_handler
    for number, default in defaults.items():
        if (before := signal.getsignal(number)) is default:
            signal.signal(number, interrupt_once)
            config.add_cleanup(partial(_set_handler, number, before))


def _set_handler(number: int, handler: Any) -> None:
    signal.signal(number, handler)


def interrupt_once(number: int, frame: FrameType | None) -> None:
    """Interrupt the run, and ignore this signal from now on: fixtures that remove a cluster must not be interrupted.

    timeout(1) sends SIGTERM twice, and xdist interrupts a worker again that has not ended after five seconds.
    """
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines: tuple[str, ...] = config.stash.get(_SWEPT, ())
    return list(lines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    try:
        return (yield)
    except (Unsupported, CalledProcessError) as error:
        _skip_or_raise(item, error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    try:
        return (yield)
    except (Unsupported, CalledProcessError) as error:
        _skip_or_raise(item, error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Describe the topologies of a failed test before its fixtures remove them."""
    report = yield
    if report.failed and report.when != "teardown":
        benches = benches_of(item)
        for bench in benches:
            report.sections.extend(bench.fail())
        for fixture in fixtures_of(item):
            if isinstance(fixture, topology.Topology) and not any(bench.made(fixture) for bench in benches):
                report.sections.append(("topology", text_or_error(fixture.report)))
    return report


def benches_of(item: pytest.Item) -> list[Workbench]:
    """The workbenches of its module and of the test itself, if they exist."""
    return [node.stash[BENCH] for node in item.listchain() if BENCH in node.stash]


def fixtures_of(item: pytest.Item) -> list[object]:
    """The values of all fixtures of the test, including those of a wider scope."""
    return list(item.funcargs.values()) if isinstance(item, pytest.Function) else []


def _skip_or_raise(item: pytest.Item, error: Exception) -> None:
    """Skip only tests that use our fixtures: elsewhere, the same error may mean something else."""
    if benches_of(item) and (reason := requirements.of_error(error)):
        pytest.skip(reason)
    raise error
