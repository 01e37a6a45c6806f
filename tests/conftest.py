"""All tests of this checkout run with the plugin that other projects install; `pytester` runs it inside of tests."""

from __future__ import annotations

import pytest

pytest_plugins = ["netrig.plugin", "lab.plugin", "pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("random faults")
    group.addoption("--long", action="store_true", help="ten times as many random faults")
    group.addoption("--seed", type=int, help="the random faults of a run that failed with this seed")


@pytest.fixture(scope="session")
def sampan_command() -> tuple[str, ...]:
    """Clusters run this checkout, on this Python."""
    return ()
