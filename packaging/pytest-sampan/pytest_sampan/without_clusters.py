"""Takes the place of `lab.plugin` where `sampan` is not installed: its fixtures skip, its options have no effect."""

from collections.abc import Callable
from typing import Final, NoReturn

import pytest

REASON: Final = "needs the wheel sampan"
FIXTURES: Final = (
    "api",
    "apply",
    "cluster",
    "faults",
    "faults_on",
    "cluster_pool",
    "fresh_cluster",
    "kubectl",
    "kubectl_for",
    "namespace",
    "wait_ready",
    "workload",
    "workload_on",
)
_OPTIONS: Final = ("--sampan", "--kubectl", "--cluster-nodes")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Accept the options of `lab.plugin`, so that one command line works with and without `sampan`."""
    group = parser.getgroup("sampan")
    for option in _OPTIONS:
        group.addoption(option, metavar="VALUE", help=f"{REASON}; no effect")


def _skipping() -> Callable[[], NoReturn]:
    """A new function at each call: pytest marks the function itself as a fixture."""

    def skip() -> NoReturn:
        pytest.skip(REASON)

    return skip


# The widest scope, because fixtures of any scope may depend on them.
globals().update({name: pytest.fixture(scope="session", name=name)(_skipping()) for name in FIXTURES})
