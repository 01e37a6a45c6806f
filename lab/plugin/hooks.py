"""Hooks for the cluster fixtures: options, sweeping at the start, and the state of a failed test's clusters."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from lab.cluster import Cluster
from lab.plugin import clusters
from lab.plugin.report import sections
from netrig.plugin.hooks import fixtures_of, report_sweep


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sampan")
    group.addoption("--sampan", default="sampan", metavar="FILE", help="the sampan that clusters run (default: PATH)")
    group.addoption(
        "--kubectl", default="", metavar="FILE", help="the kubectl of the tests (default: PATH, or else Debian's)"
    )
    group.addoption("--cluster-nodes", type=int, default=3, metavar="N", help="number of nodes of a cluster (3)")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Remove the clusters that a killed run left. Once per run: with xdist, only the controller does it."""
    if not hasattr(session.config, "workerinput") and os.geteuid() == 0:
        report_sweep(session.config, clusters.sweep)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Describe the clusters of a failed test before its fixtures remove them."""
    report = yield
    if report.failed and report.when != "teardown":
        for fixture in fixtures_of(item):
            if isinstance(fixture, Cluster):
                report.sections.extend(sections(fixture))
    return report
