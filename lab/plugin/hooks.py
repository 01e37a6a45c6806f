"""The plugin's hooks: sweeping at the start, skipping with a reason, and what a failed test tells.

Owns the stash entry `BENCH` of tests and modules, by which hooks find what their fixtures have made.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from subprocess import CalledProcessError
from types import FrameType
from typing import Final

import pytest

from lab import topology
from lab.cluster import Cluster
from lab.errors import LabError, Unsupported
from lab.plugin import requirements
from lab.plugin.cluster import life
from lab.plugin.cluster.report import sections as cluster_sections
from lab.plugin.leaks import Scope
from lab.plugin.workbench import Workbench, told
from netstack.errors import NetstackError

BENCH: Final = pytest.StashKey[Workbench]()
_SWEPT: Final = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sampan")
    group.addoption("--sampan", default="sampan", metavar="FILE", help="the sampan that clusters run (on the PATH)")
    group.addoption("--kubectl", default="", metavar="FILE", help="the kubectl of the tests (on the PATH, or Debian's)")
    group.addoption("--cluster-nodes", type=int, default=3, metavar="N", help="nodes of a cluster (3)")
    group.addoption(
        "--leak-check",
        choices=[scope.value for scope in Scope],
        default=Scope.OWN.value,
        help="what a test must leave as it found it: own, namespaces of this process (the default); machine, all "
        "namespaces and mounts, and links and packet filter rules of the machine itself, where nobody else works on "
        "it; off",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Remove what a killed run left: once a run, which under xdist is in the controller.

    What cannot be removed is told, and is no reason to test nothing: the names of this run are its own.
    """
    if hasattr(session.config, "workerinput"):
        signal.signal(signal.SIGINT, interrupt_once)
        return
    if os.geteuid() != 0:
        return
    lines = []
    for sweep in (topology.sweep, life.sweep):
        try:
            if swept := sweep():
                lines.append(f"sampan: removed what a killed run left: {', '.join(swept)}")
        except (LabError, NetstackError, OSError) as error:
            lines.append(f"sampan: what a killed run left cannot be removed: {error}")
    session.config.stash[_SWEPT] = tuple(lines)


def interrupt_once(number: int, frame: FrameType | None) -> None:
    """xdist interrupts a worker again that has not ended within five seconds: it may be removing its cluster."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_report_header(config: pytest.Config) -> list[str]:
    told = config.stash.get(_SWEPT, ())
    return list(told)


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
    """Told now, while topologies and clusters are there: fixtures end only after this."""
    report = yield
    if report.failed and report.when != "teardown":
        benches = benches_of(item)
        for bench in benches:
            report.sections.extend(bench.fail())
        for found in _fixtures_of(item):
            if isinstance(found, Cluster):
                report.sections.extend(cluster_sections(found))
            elif isinstance(found, topology.Topology) and not any(bench.made(found) for bench in benches):
                report.sections.append(("topology", told(found.report)))
    return report


def benches_of(item: pytest.Item) -> list[Workbench]:
    """That of its module and its own, as far as there are."""
    return [node.stash[BENCH] for node in item.listchain() if BENCH in node.stash]


def _fixtures_of(item: pytest.Item) -> list[object]:
    """The values of all fixtures that the test uses, also those of a wider scope."""
    return list(item.funcargs.values()) if isinstance(item, pytest.Function) else []


def _skip_or_raise(item: pytest.Item, error: Exception) -> None:
    """Only of tests that use our fixtures: the same error means something else elsewhere."""
    if benches_of(item) and (reason := requirements.of_error(error)):
        pytest.skip(reason)
    raise error
