"""The plugin's fixtures. All of one test share its workbench, which takes everything away at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from netrig.capture import Capture
from netrig.plugin import leaks, requirements
from netrig.plugin.hooks import BENCH, benches_of
from netrig.plugin.workbench import Where, Workbench
from netrig.probe import Prober, Responder
from netrig.topology import Topology


class MakeProber(Protocol):
    def __call__(self, where: Where, *, name: str = "") -> Prober: ...


class MakeResponder(Protocol):
    def __call__(self, where: Where, port: int, *, name: str = "", address: str = "0.0.0.0") -> Responder: ...


class MakeCapture(Protocol):
    def __call__(self, where: Where, interface: str, *, snap_bytes: int = 65_535) -> Capture: ...


@pytest.fixture(autouse=True)
def leak_check(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[None]:
    """Fails the test that leaves something; what fixtures of a wider scope made is not the test's."""
    scope = leaks.Scope(pytestconfig.getoption("--leak-check"))
    before = leaks.take(scope)
    yield
    shared = frozenset().union(*(bench.namespaces() for bench in benches_of(request.node) if bench.shared))
    left = [thing for thing in leaks.take(scope).beyond(before) if thing.name not in shared]
    if left:
        leaks.remove_own(left)
        pytest.fail("the test left behind: " + ", ".join(map(str, left)), pytrace=False)


@pytest.fixture(scope="session")
def usable() -> str:
    """Why no topology can be made on this machine; empty when it can."""
    return requirements.of_machine()


@pytest.fixture
def workbench(request: pytest.FixtureRequest, usable: str, leak_check: None) -> Iterator[Workbench]:
    """All that the test makes; the test is skipped, with the reason, where nothing can be made."""
    if usable:
        pytest.skip(usable)

    def directory() -> Path:
        path = request.getfixturevalue("tmp_path")
        assert isinstance(path, Path)
        return path

    bench = Workbench(directory)
    request.node.stash[BENCH] = bench
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture(scope="module")
def module_workbench(
    request: pytest.FixtureRequest, usable: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    """The same for a whole module: what its own fixtures of that scope make their topologies, responders, captures by.

    All tests of the module tell of them when they fail, and none is blamed for leaving them.
    """
    if usable:
        pytest.skip(usable)
    bench = Workbench(lambda: tmp_path_factory.mktemp(request.node.path.stem), shared=True)
    request.node.stash[BENCH] = bench
    try:
        yield bench
    finally:
        bench.close()
        del request.node.stash[BENCH]


@pytest.fixture
def topology(workbench: Workbench) -> Topology:
    """An empty topology: declare hosts, switches, routers and links, and start it. It goes with the test."""
    return workbench.topology()


@pytest.fixture
def new_topology(workbench: Workbench) -> Callable[[], Topology]:
    """Makes further topologies, which never meet."""
    return workbench.topology


@pytest.fixture
def probe(workbench: Workbench) -> MakeProber:
    """`probe(node)`: a Prober there."""
    return workbench.probe


@pytest.fixture
def responder(workbench: Workbench) -> MakeResponder:
    """`responder(node, 80)`: somebody who answers there until the test's end, and tells whom it saw."""
    return workbench.responder


@pytest.fixture
def capture(workbench: Workbench) -> MakeCapture:
    """`capture(node, "eth0")`: a pcap from now on, kept when the test fails, its summary in the failure's text."""
    return workbench.capture
