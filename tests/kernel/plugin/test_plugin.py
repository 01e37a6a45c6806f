"""The plugin from the point of view of another project: inner runs of pytest that fail, leak and skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hull.owner import sweeping
from netrig.capture import read
from netrig.plugin import eventually
from netrig.topology import leftovers
from netstack import namespaces
from tests.doomed import doomed
from tests.kernel.plugin.conftest import OTHERS_OFF, PAIR, Run

ROOT = Path(__file__).parents[3]

KILLED = """
from netrig.topology import Topology
net = Topology()
net.host("forgotten")
net.start()
print(net.nodes()[0].where, flush=True)
"""


def test_a_test_that_passes_leaves_nothing(run: Run, pytester: pytest.Pytester) -> None:
    result = run("""
def test_reply(pair, probe, responder, capture):
    a, b = pair
    seen = capture(b, "eth0")
    responder(b, 80)
    assert probe(a).one(ask("10.0.0.2", 80)).seen == "10.0.0.1"
    assert seen.summary().packets > 0
""")
    result.assert_outcomes(passed=1)
    assert list(pytester.path.rglob("*.pcap")) == []


def test_a_failure_shows_nodes_and_packets_and_keeps_the_capture(run: Run, pytester: pytest.Pytester) -> None:
    result = run("""
def test_refused(pair, probe, capture):
    a, b = pair
    b.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP"])
    capture(b, "eth0")
    probe(a).expect(Outcome.REPLY, tcp("10.0.0.2", 80))
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*a → 10.0.0.2:80/tcp: expected reply, got refused*",
            "*capture b-eth0*",
            "*b-eth0-0.pcap",
            "*tcp 10.0.0.1:* > 10.0.0.2:80 [[]S[]]: 1 packets*",
            "*- topology -*",
            "link a:eth0 - b:eth0: mtu 1400",
            "host b (topo-*",
            "*link eth0 veth up mtu 1400*10.0.0.2/24",
            "*route 10.0.0.0/24 dev eth0",
            "*81*",
        ]
    )
    (kept,) = pytester.path.rglob("*.pcap")
    assert len(list(read(kept.read_bytes()))) >= 2


def test_a_failure_shows_all_topologies(run: Run) -> None:
    result = run("""
def test_two(new_topology):
    for name in ("first", "second"):
        new_topology().host(name)
    assert False
""")
    result.stdout.fnmatch_lines(["*- topology 1 -*", "host first*", "*- topology 2 -*", "host second*"])


def test_the_failure_of_a_fixture_shows_topologies_too(run: Run) -> None:
    result = run("""
@pytest.fixture
def broken(pair):
    raise RuntimeError("no luck")

def test_never(broken): ...
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*- topology -*", "host a (topo-*"])


def test_a_missing_kernel_feature_skips_with_the_reason(run: Run) -> None:
    result = run("""
def test_unsupported(pair):
    raise Unsupported("this kernel has no netem")

def test_no_such_link(pair):
    pair[0].run(["ip", "link", "add", "x0", "type", "nosuchkind"])

def test_wrong_use(pair):
    pair[0].run(["ip", "link", "add", "eth0", "type", "dummy"])

def test_without_a_fixture():
    raise Unsupported("something else")
""")
    result.assert_outcomes(skipped=2, failed=2)
    result.stdout.fnmatch_lines(["SKIPPED*this kernel has no netem", "SKIPPED*Unknown device type*"])


def test_without_root_a_test_is_skipped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = run("def test_it(pair): ...")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs root: makes network namespaces"])


def test_a_leaked_topology_fails_only_its_own_test(run: Run) -> None:
    result = run("""
def test_leaks():
    net = Topology()
    net.host("left")
    net.start()

def test_next(pair): ...

@pytest.fixture(scope="module")
def shared():
    with Topology() as net:
        net.host("shared")
        net.start()
        yield net

def test_first_use(shared): ...
def test_second_use(shared): ...
""")
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*the test left behind: namespace topo-*-left"])


def test_a_program_that_outlives_its_topology_fails_the_test_and_is_killed(run: Run) -> None:
    result = run("""
import subprocess

def test_leaks(pair):
    leave = ["sh", "-c", "sleep 611 >/dev/null 2>&1 &"]
    subprocess.run(["ip", "netns", "exec", pair[0].where, *leave], check=True)
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*processes outlived their topology*"])


def test_what_a_killed_run_left_is_swept_at_the_start(run: Run) -> None:
    with doomed(KILLED) as dead, sweeping():
        dead.kill()
        result = run("def test_nothing(): ...")
    result.stdout.fnmatch_lines([f"sampan: removed what a killed run left: *{dead.name}*"])
    assert dead.name not in leftovers()


def test_a_killed_process_s_namespaces_are_removed_at_once() -> None:
    with doomed(KILLED) as dead:
        assert dead.name in namespaces.names()
        dead.kill()
        eventually(lambda: dead.name not in namespaces.names(), message=f"namespace {dead.name} is removed")


INTERRUPTED = """
import time

import pytest

@pytest.fixture(autouse=True, scope="module")
def removed_slowly():
    yield
    time.sleep(0.2)

def test_that_waits(pair):
    print("namespace", pair[0].where, flush=True)
    while True:
        time.sleep(0.05)  # Python runs no handler in a sleep that begins just after the signal came
"""


def test_sigterm_interrupts_a_run_and_fixtures_remove_what_they_made(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PAIR + INTERRUPTED)
    command = [sys.executable, "-P", "-m", "pytest", "-s", "-p", "netrig.plugin", *OTHERS_OFF]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        name = next(line.split()[-1] for line in run.stdout if "namespace " in line)
        assert name in namespaces.names()
        run.terminate()
        run.terminate()  # as timeout(1) does, which signals its child and then the group
        rest = run.stdout.read()
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in rest
    assert name not in namespaces.names()


@pytest.mark.parametrize("scope", ["machine", "off"])
def test_the_other_scopes_of_the_leak_check(run: Run, scope: str) -> None:
    result = run(
        """
def test_leaks():
    net = Topology()
    net.host("left")
    net.start()
    test_leaks.net = net

def test_cleans():
    test_leaks.net.close()
""",
        "--leak-check",
        scope,
    )
    assert ("namespace topo-" in result.stdout.str()) is (scope == "machine")


WORKERS = """
import os
import time
from pathlib import Path

import pytest

from netrig.probe import Outcome, icmp
from netrig.topology import Topology, leftovers
from netstack import namespaces

MEETING = Path(os.environ["MEETING"])


def meet(number, timeout_s=30.0):
    # Wait for the test of the other worker; returns what it wrote.
    other = MEETING / str(1 - number)
    deadline = time.monotonic() + timeout_s
    while not (other.exists() and other.read_text().endswith("!")):
        assert time.monotonic() < deadline, "the tests do not run at the same time"
        time.sleep(0.01)
    return other.read_text()[:-1]


@pytest.mark.parametrize("number", [0, 1])
def test_side_by_side(topology, probe, number):
    a, b = topology.host("a"), topology.host("b")
    topology.link(a, b, address="10.0.0.1/24", peer_address="10.0.0.2/24")
    topology.start()
    (MEETING / str(number)).write_text(a.where + "!")
    other = meet(number)
    assert other != a.where
    assert {other, a.where} <= set(namespaces.names())
    assert os.environ["DEAD"] not in namespaces.names(), "swept before the first test"
    assert other not in leftovers()
    probe(a).expect(Outcome.REPLY, *[icmp("10.0.0.2")] * 20)
    (MEETING / f"done{number}").write_text("")
    while not (MEETING / f"done{1 - number}").exists():
        time.sleep(0.01)


def test_leaks():
    net = Topology()
    net.host("left")
    net.start()
"""


KILLER = """
import os
import signal
from contextlib import ExitStack

from hull.owner import sweeping
from hull.processes import record_of, until

HELD = ExitStack()

def pytest_configure(config):
    # Killed while this process holds the lock, so that no other process sweeps before it does.
    if not hasattr(config, "workerinput"):
        dead = int(os.environ["DEAD_PID"])
        HELD.enter_context(sweeping())
        os.kill(dead, signal.SIGKILL)
        assert any(record_of(dead) is None for _ in until(10.0))
"""


def test_workers_are_isolated_and_sweep_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEETING", str(pytester.mkdir("meeting")))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(WORKERS)
    pytester.makeconftest(KILLER)
    with doomed(KILLED) as dead:
        monkeypatch.setenv("DEAD", dead.name)
        monkeypatch.setenv("DEAD_PID", str(dead.process.pid))
        result = pytester.runpytest_subprocess("-p", "netrig.plugin", *OTHERS_OFF, "-n", "2", "-rs")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test left behind: namespace topo-*-left"])
    swept = [line for line in result.outlines if line.startswith("sampan: removed what a killed run left")]
    assert len(swept) == 1
    assert dead.name in swept[0]
    (left,) = {word for line in result.outlines for word in line.split() if word.endswith("-left")}
    assert left not in namespaces.names()
