"""Master and agents are killed at random while objects are created and deleted: the end state is exactly as declared.

The test chooses the times of the kills, by a seed that a failure prints (`--seed`); the product has no hooks for them.
Normally 20 kills, with `--long` 300.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random, SystemRandom
from typing import Any

import pytest

from client.rest import RestClient
from lab import faults
from lab.cluster import Cluster
from lab.config import Periods
from lab.lab import in_parallel
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.churn import NAMES_ITSELF, NAMESPACE, SECRET, Facts, Papers, Workloads, Writer, facts
from tests.cluster.exact import differences, items, network_of, unanswered
from tests.cluster.manifests import replication_controller, service
from tests.cluster.watcher import ROOT_CA, Watcher

KILLS, KILLS_LONG = 20, 300
LONGEST_DELAY_S = 0.7
STEADY = 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kills" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        kills, timeout_s = (KILLS_LONG, 1800) if long else (KILLS, 300)
        metafunc.parametrize("kills", [pytest.param(kills, marks=pytest.mark.timeout(timeout_s))])


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of the random choices, printed with a failure."""
    given = request.config.getoption("--seed")
    chosen = SystemRandom().randrange(1_000_000) if given is None else int(given)
    print(f"to repeat this run: --seed {chosen}")
    return chosen


@pytest.fixture
def small(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of two nodes, whose pods are not evicted while an agent is down: only the kills may have effects."""
    with cluster_pool.lend(nodes=2, periods=Periods(heartbeat_s=0.5, grace_s=60.0, eviction_s=300.0)) as made:
        yield made


def test_the_end_state_is_exactly_as_declared(small: Cluster, kills: int, seed: int) -> None:
    random = Random(seed)
    with small.client() as api, ExitStack() as stack:
        steady = make_steady(api)
        writers = [Papers(small, Random(random.random())), Workloads(small, Random(random.random()))]
        watcher = Watcher(small)
        threads: list[Writer | Watcher] = [*writers, watcher]
        for thread in threads:
            thread.start()
            stack.callback(thread.stop)
        kill_at_random(small, random, kills)
        small.wait_api()
        for writer in writers:
            writer.stop()
        print(", ".join(f"{each.name}: {each.writes} writes, {each.unanswered} unanswered" for each in writers))
        acknowledged = {path: known for each in writers for path, known in each.acknowledged.items()}
        assert declared(api) == acknowledged
        maps = {path: known for path, known in acknowledged.items() if "/configmaps/" in path}
        eventually(lambda: watcher.seen == maps)
        eventually(lambda: exact(small, api), within_s=60, period_s=0.5)
        assert {each["metadata"]["uid"] for each in steady_pods(api)} == steady, "pods were replaced without a cause"
        eventually(lambda: answered(small, api))
        assert_as_on_clean_nodes(small, api)


def kill_at_random(cluster: Cluster, random: Random, kills: int) -> None:
    """Kill a daemon and restart it at once, as an init system would. Raises NotFound if one has ended by itself."""
    hosts = [host.name for host in cluster.lab.state.hosts]
    for _ in range(kills):
        time.sleep(random.uniform(0, LONGEST_DELAY_S))
        host = random.choice(hosts)
        faults.kill(cluster, host)
        faults.start(cluster, host)


def make_steady(api: RestClient) -> set[str]:
    """Create pods behind a service that stay untouched, and a secret for later pods; the uids of the pods."""
    api.create(f"{NAMESPACE}/secrets", SECRET)
    api.create(f"{NAMESPACE}/replicationcontrollers", replication_controller("steady", STEADY, container=NAMES_ITSELF))
    api.create(f"{NAMESPACE}/services", service("steady", app="steady"))
    eventually(lambda: [each["status"]["phase"] for each in steady_pods(api)] == ["Running"] * STEADY)
    return {each["metadata"]["uid"] for each in steady_pods(api)}


def steady_pods(api: RestClient) -> list[dict[str, Any]]:
    return [each for each in items(api, "pods") if each["metadata"].get("labels", {}).get("app") == "steady"]


def declared(api: RestClient) -> dict[str, Facts]:
    """The objects of the writers that the API has now: path → facts."""
    objects = {}
    for plural in ("configmaps", "services", "replicationcontrollers", "pods"):
        for each in items(api, plural):
            meta, current = each["metadata"], facts(plural, each)
            is_other = meta["name"] in ("steady", "kubernetes", "kube-dns", ROOT_CA) or meta.get("ownerReferences")
            if not is_other and current is not None:
                objects[f"{NAMESPACE}/{plural}/{meta['name']}"] = current
    return objects


def exact(cluster: Cluster, api: RestClient) -> bool:
    lines = differences(cluster, api)
    assert not lines, "\n".join(lines)
    return True


def answered(cluster: Cluster, api: RestClient) -> bool:
    lines = unanswered(cluster, api)
    assert not lines, "\n".join(lines)
    return True


def assert_as_on_clean_nodes(cluster: Cluster, api: RestClient) -> None:
    """The networks of the nodes are the same as after a reboot, which makes them from nothing."""
    nodes = [node.name for node in cluster.lab.state.nodes]
    before = {node: network_of(cluster, node) for node in nodes}
    in_parallel(nodes, lambda node: faults.reboot(cluster, node))

    def same() -> bool:
        for node in nodes:
            after = network_of(cluster, node).splitlines()
            changes = "\n".join(
                difflib.unified_diff(before[node].splitlines(), after, "before", "clean", n=0, lineterm="")
            )
            assert not changes, f"{node}:\n{changes}"
        return True

    eventually(same, within_s=60, period_s=0.5)
    eventually(lambda: answered(cluster, api))
