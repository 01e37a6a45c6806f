"""Topologies that serve all tests of a module: what the plugin shows of them, and what it counts as their leaks."""

from __future__ import annotations

from netrig.topology.naming import NAMES
from tests.kernel.plugin.conftest import Run

MODULE = """
@pytest.fixture(scope="module")
def shared(module_workbench):
    net = module_workbench.topology()
    a, b = net.host("a"), net.host("b")
    net.link(a, b, address="10.0.0.1/24", peer_address="10.0.0.2/24", mtu=1300)
    net.start()
    module_workbench.responder(b, 80)
    module_workbench.capture(b, "eth0")
    return a, b
"""


def test_a_topology_of_a_module_serves_all_tests_and_is_shown_by_failed_ones(run: Run) -> None:
    result = run(
        MODULE
        + """
def test_first(shared, probe):
    assert probe(shared[0]).one(ask("10.0.0.2", 80)).server == "b"

def test_fails(shared, probe, topology):
    topology.host("own")
    probe(shared[0]).expect(Outcome.REPLY, tcp("10.0.0.2", 81))

def test_goes_on(shared, probe):
    assert probe(shared[0]).one(ask("10.0.0.2", 80)).server == "b"

def test_fails_again(shared, probe):
    probe(shared[0]).expect(Outcome.REPLY, tcp("10.0.0.2", 82))
"""
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*module's capture b-eth0*",
            "*> 10.0.0.2:81 *",
            "*- module's topology -*",
            "link a:eth0 - b:eth0: mtu 1300",
            "host b (topo-*",
            "*- topology -*",
            "host own*",
            "*module's capture b-eth0*",
            "*> 10.0.0.2:82 *",
            "*- module's topology -*",
        ]
    )
    result.stdout.no_fnmatch_line("*- topology 2 -*")


def test_what_a_module_made_does_not_count_as_a_leak_of_a_test(run: Run) -> None:
    result = run(
        MODULE
        + """
def test_before(pair): ...

def test_asks_late(request):
    request.getfixturevalue("shared")

def test_still_there(shared, probe):
    assert probe(shared[0]).one(ask("10.0.0.2", 80)).server == "b"
""",
        "--leak-check=machine",
    )
    assert result.parseoutcomes()["passed"] == 3
    # Namespaces that another process makes at the same time are reported too; they have another owner.
    ours = NAMES.new().rpartition("-")[0]
    result.stdout.no_fnmatch_line(f"*left behind:*namespace {ours}-*")


def test_a_program_that_outlives_the_topology_of_a_module_is_an_error(run: Run) -> None:
    result = run(
        MODULE
        + """
import subprocess

def test_leaks(shared):
    leave = ["sh", "-c", "sleep 612 >/dev/null 2>&1 &"]
    subprocess.run(["ip", "netns", "exec", shared[0].where, *leave], check=True)

def test_last(shared): ...
"""
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_last*", "*processes outlived their topology*"])


def test_the_failure_of_a_module_s_fixture_shows_topologies_too(run: Run) -> None:
    result = run(
        MODULE
        + """
@pytest.fixture(scope="module")
def broken(shared):
    raise RuntimeError("no luck")

@pytest.fixture(scope="module")
def unsupported(shared):
    raise Unsupported("this kernel has no netem")

def test_never(broken): ...
def test_skipped(unsupported): ...
"""
    )
    result.assert_outcomes(errors=1, skipped=1)
    result.stdout.fnmatch_lines(["*- module's topology -*", "SKIPPED*this kernel has no netem"])
