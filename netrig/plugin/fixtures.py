"""The plugin's fixtures. Those of one test share its workbench, which removes everything at the end."""

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
    """Fails a test that leaves something behind, except what fixtures of a wider scope made."""
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
    """Why this machine cannot run topologies; empty if it can."""
    return requirements.of_machine()


@pytest.fixture
def workbench(request: pytest.FixtureRequest, usable: str, leak_check: None) -> Iterator[Workbench]:
    """Everything that the test makes. Skips the test with the reason if this machine cannot run topologies."""
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
    """A workbench for a whole module, with which module-scoped fixtures make topologies, responders and captures.

    A failed test of the module shows them; the leak check of a test ignores them.
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
    """An empty topology: declare hosts, switches, routers and links, and start it. Removed at the test's end."""
    return workbench.topology()


@pytest.fixture
def new_topology(workbench: Workbench) -> Callable[[], Topology]:
    """`new_topology()`: a further topology, isolated from the others."""
    return workbench.topology


@pytest.fixture
def probe(workbench: Workbench) -> MakeProber:
    """`probe(node)`: a Prober for the node."""
    return workbench.probe


@pytest.fixture
def responder(workbench: Workbench) -> MakeResponder:
    """`responder(node, 80)`: answers probes to the node until the test's end, with the client's address."""
    return workbench.responder


@pytest.fixture
def capture(workbench: Workbench) -> MakeCapture:
    """`capture(node, "eth0")`: captures from now on. A failed test shows its summary and keeps its pcap file."""
    return workbench.capture
