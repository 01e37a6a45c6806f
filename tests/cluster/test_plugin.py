"""The plugin's cluster fixtures as another project uses them, in inner runs of pytest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hull.owner import sweeping
from lab import faults
from lab.config import Periods
from lab.lab import leftovers, names
from lab.plugin import clusters
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.doomed import doomed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "pytest-sampan.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = ["-p", "netrig.plugin", "-p", "lab.plugin", "-p", "no:asyncio", "-p", "no:cacheprovider"]
Run = Callable[..., pytest.RunResult]

POD = """
import pytest
from netrig.topology import Topology

def pod(name, **spec):
    container = {"name": "main", "image": "tomcat", "imagePullPolicy": "IfNotPresent"}
    body = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Runs a test file in this process, on clusters of one node with the checkout's `sampan`."""

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(POD + text)
        options = [*OPTIONS, f"--basetemp={pytester.path}/tmp", "--cluster-nodes=1", f"--sampan={ROOT}/sampan"]
        return pytester.runpytest_inprocess(*options, "-rs", *arguments)

    return run


def test_the_examples_of_the_page_pass(pytester: pytest.Pytester) -> None:
    (block,) = BLOCK.findall(PAGE.read_text().partition("\n## Clusters\n")[2])
    pytester.makepyfile(block)
    result = pytester.runpytest_inprocess(*OPTIONS, f"--sampan={ROOT}/sampan")
    result.assert_outcomes(passed=block.count("\ndef test_"))


def test_failures_leaks_and_faults_are_reported_and_undone(run: Run) -> None:
    result = run(
        """
def test_that_fails(cluster, apply, wait_ready):
    apply(pod("fine"))
    wait_ready()
    assert False

def test_that_times_out(workload):
    workload.apply(pod("never", nodeSelector={"there": "is-none"}))
    workload.wait_ready(timeout_s=0.5)

def test_that_leaks(cluster, namespace):
    cluster.host("node1").run(["ip", "link", "add", "forgotten", "type", "bridge"])

def test_that_breaks(cluster, faults):
    faults.loss("node1", 20)
    faults.kill("master")
    faults.kill("node1")

def test_the_next_one(cluster, api, apply, wait_ready):
    assert [pod["metadata"]["name"] for pod in api.get("/api/v1/pods")["items"]] == []
    assert cluster.lab.state.host("node1").faults() == ()
    apply(pod("works"))
    wait_ready("pod/works", "node/node1")
"""
    )
    result.assert_outcomes(passed=3, failed=2, errors=1)
    output = result.stdout.str()
    result.stdout.fnmatch_lines(
        ["node node1: ready", "pod test-*/fine: ready, 10.*, node1", "service default/kubernetes*", "service kube-*"]
    )
    result.stdout.fnmatch_lines(["*- host node1 -*", "*agent*dockerd*", "  link eth0 veth up*", "  route *dev eth0*"])
    assert re.search(r"-A SAMPAN-SERVICES .*\[\d+:\d+\]|\[\d+:\d+\] -A SAMPAN-SERVICES", output)
    result.stdout.fnmatch_lines(["*- end of */log/agent.log -*"])
    assert "Pod never: Pending Unschedulable" in output
    assert "the test left on the cluster: link node1:forgotten" in output


def test_a_failure_shows_the_topologies_of_a_module(run: Run) -> None:
    result = run(
        """
@pytest.fixture(scope="module")
def network():
    with Topology() as net:
        net.link(net.host("left"), net.host("right"), address="10.0.0.1/24", peer_address="10.0.0.2/24")
        net.start()
        yield net

def test_that_fails(network):
    assert False
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- topology -*", "host left*", "host right*"])


@pytest.mark.parametrize(
    ("arguments", "path", "reason"),
    [
        pytest.param(["--sampan=/nowhere/sampan"], "", "needs sampan, but there is no `/nowhere/sampan`", id="sampan"),
        pytest.param([], "/nowhere", "needs dockerd, containerd*`sampan lab create --engines`*", id="engine"),
    ],
)
def test_a_test_is_skipped_if_a_requirement_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], path: str, reason: str
) -> None:
    if path:
        monkeypatch.setattr("lab.environment._PATH", path)
    result = run("def test_it(cluster): assert False", *arguments)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}*"])


KILLED = """
from lab.plugin.clusters import running_cluster
made = running_cluster(nodes=1)
print(made.__enter__().lab.name, flush=True)
"""


def test_the_next_run_removes_leftovers_of_a_killed_one(run: Run) -> None:
    """The killed run's watcher waits for the lock, so the next run removes the running master, agent and engine."""
    with doomed(KILLED) as dead, sweeping():
        dead.kill()
        assert clusters.NAMES.owner_of(dead.name) is not None
        assert dead.name in names()
        result = run("def test_nothing(): pass")
    result.stdout.fnmatch_lines([f"sampan: removed what a killed run left: *{dead.name}*"])
    assert list(leftovers(dead.name)) == []


def test_the_cluster_of_a_killed_process_is_removed_at_once() -> None:
    with doomed(KILLED) as dead:
        assert any(line.startswith("process ") for line in leftovers(dead.name))
        dead.kill()
        eventually(
            lambda: not list(leftovers(dead.name)), within_s=30.0, message=lambda: ", ".join(leftovers(dead.name))
        )


def test_the_pool_lends_a_cluster_again_only_while_it_is_as_new(cluster_pool: ClusterPool) -> None:
    periods = Periods(heartbeat_s=0.9)  # so that no other test's cluster is lent
    with cluster_pool.lend(nodes=1, periods=periods) as first:
        faults.loss(first, "node1", 50.0)
    with cluster_pool.lend(nodes=1, periods=periods) as second:
        assert second.lab.name == first.lab.name, "its fault was undone"
        faults.kill(second, "node1")
    with cluster_pool.lend(nodes=1, periods=periods) as third:
        assert third.lab.name != first.lab.name, "its agent does not run"
        with third.client() as api:
            api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "left"}})
    with cluster_pool.lend(nodes=1, periods=periods) as fourth:
        assert fourth.lab.name != third.lab.name, "a config map was left"
        with fourth.client() as api:
            api.patch("/api/v1/nodes/node1", {"spec": {"unschedulable": True}})
    assert not list(leftovers(fourth.lab.name)), "its node was cordoned"
    assert not list(leftovers(first.lab.name)) and not list(leftovers(third.lab.name))
