"""All tests of this checkout run with the plugin that other projects install; `pytester` runs it inside of tests."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from tests.runner import durations

pytest_plugins = ["netrig.plugin", "lab.plugin", "pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("length")
    group.addoption("--long", action="store_true", help="also the tests marked long; waits and random faults in full")
    group.addoption("--seed", type=int, help="the random faults of a run that failed with this seed")
    group.addoption("--shared", help="a directory for what the processes of a run make once for all of them")
    group.addoption("--record-durations", action="store_true", help=f"write {durations.FILE.name}: longest files first")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Garbage collections leave out what exists before the first test: a million objects, a third of a unit run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last test of a file, the same for what is left then."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files come first, so that none is left over at the end while other workers are idle."""
    items.sort(key=lambda item: -durations.of(item.nodeid))
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes long: --long"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--record-durations"):
        durations.record(terminalreporter.stats)


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """Whether waits are to be as long as in real life (`--long`); else a test that waits does so for a tenth of it."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def sampan_command() -> tuple[str, ...]:
    """Clusters run this checkout, on this Python."""
    return ()
