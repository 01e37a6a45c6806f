"""Network faults in a whole cluster: they must not affect its healthy parts.

In each test pods of all nodes keep connections through services open, and in the end everything is as before
(observer.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from client.errors import AlreadyExists, ClientError
from lab.cluster import Cluster
from lab.config import Periods
from lab.faults import Way
from lab.lab import in_parallel
from lab.plugin.clusters import running_cluster
from lab.plugin.faults import Faults
from netrig.plugin import eventually
from netrig.probe import Outcome, ask
from tests.cluster.exact import items
from tests.cluster.observer import NAMESPACE, NODES, PORT, Observer, Talk

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PERIODS = Periods(heartbeat_s=1.0, grace_s=8.0, eviction_s=32.0)
"""The master's keepalive detects a stalled session after 30 s. No pods are evicted by then; after a minute they are."""
MINUTE_S = 60.0
FLAPS_S = 6.0
"""Without `--long`."""
STANDSTILL_S = 12.0
"""Without `--long`: longer than the grace period."""
MEGABYTE = 1 << 20
LOSS_PERCENT = 20.0
ANSWER_S = 5.0
"""How long a request waits for its answer while the master is paused."""
USUAL_MTU, SMALL_MTU, OVERHEAD = 1500, 1400, 50


@pytest.fixture(scope="module")
def observer(sampan_command: tuple[str, ...]) -> Iterator[Observer]:
    """A cluster with the workload. After all faults its processes have no more descriptors and threads than before."""
    with running_cluster(nodes=3, periods=PERIODS, command=sampan_command) as made, made.client() as api:
        observer_ = Observer(made, api, grace_s=PERIODS.grace_s)
        observer_.deploy()
        before = {host: observer_.usage(host) for host in ("master", *NODES)}
        yield observer_
        eventually(lambda: one_connection_each(observer_), within_s=60)
        eventually(lambda: not_more(observer_, before), within_s=60)


@pytest.fixture
def faults(observer: Observer, faults_on: Callable[[Cluster], Faults]) -> Faults:
    return faults_on(observer.cluster)


class TestOneWayCuts:
    def test_a_node_cut_off_from_its_peers_is_ready_and_runs_pods(self, observer: Observer, faults: Faults) -> None:
        ready = {node: observer.ready(node) for node in NODES}
        inside = observer.prober("node1")
        with observer.undisturbed() as talks:
            faults.cut("node1", Way.FROM_PEERS)
            observer.pod("new", "node1")
            inside.expect(Outcome.REPLY, ask(observer.addresses["node1"], PORT))
            inside.expect(Outcome.SILENCE, *(ask(observer.addresses[node], PORT) for node in ("node2", "node3")))
            exchange(between("node2", "node3", talks))
            time.sleep(PERIODS.grace_s)
            faults.heal("node1")
            inside.eventually(Outcome.REPLY, ask(observer.addresses["node2"], PORT), within_s=10.0)
            observer.remove("new")
        assert {node: observer.ready(node) for node in NODES} == ready

    @pytest.mark.parametrize("way", [Way.FROM_MASTER, Way.FROM, Way.TO])
    def test_both_sides_notice_a_stalled_session_and_replace_it(
        self, observer: Observer, faults: Faults, way: Way
    ) -> None:
        """Packets are lost for longer than the session's time-outs, but not until pods are evicted."""
        victim = f"victim-{way}"
        with observer.undisturbed() as talks:
            observer.pod(victim, "node1")
            faults.cut("node1", way)
            observer.kill(*observer.container(victim))
            eventually(lambda: observer.told("node1", "no session with the master"))
            eventually(lambda: observer.ready("node1")[0] == "Unknown")
            assert observer.told("master", "session ended: no heartbeat within the grace period") == 1
            eventually(lambda: observer.endpoints("echo-node1") == [])
            if way is Way.FROM_MASTER:
                exchange([*talks, observer.talk("node1", "node2"), observer.talk("node2", "node3")])
                # The keepalive of the session port: a ping after 20 s, and 10 s for the answer.
                eventually(lambda: observer.connections("node1") == 0, within_s=60)
            exchange(between("node2", "node3", talks))
            faults.heal("node1")
            eventually(lambda: observer.restarts(victim) == 1)
            eventually(lambda: observer.ready("node1")[0] == "True")
            assert observer.told("node1", "session.session: session ") == 1, observer.log("node1")
            observer.remove(victim)
        # Reports that were sent again, because the answer was missing, count only once.
        eventually(lambda: observer.events("Created")[victim] == observer.events("Started")[victim] == 2)


class TestLossyCable:
    def test_pods_start_and_stop_and_services_answer(self, observer: Observer, faults: Faults) -> None:
        names = [f"lossy-{number}" for number in range(3)]
        with observer.undisturbed() as talks:
            faults.loss("node1", LOSS_PERCENT)
            for name in names:
                observer.pod(name, "node1")
            # Few packets: TCP waits twice as long after each loss in a row, and eight of them take a minute. With
            # 50,000 bytes that came too often.
            in_parallel(talks, lambda talk: talk.exchange(5_000))
            for source, target in (("node1", "node2"), ("node2", "node1")):
                question = ask(observer.addresses[target], PORT, timeout_s=10.0)
                observer.prober(source).eventually(Outcome.REPLY, question, within_s=60.0)
            observer.remove(*names)
            faults.heal("node1")


class TestMinutes:
    def test_links_that_flap_disturb_nothing(self, observer: Observer, faults: Faults, long_run: bool) -> None:
        """One link loses its carrier every second, another one its packets."""
        for_s = MINUTE_S if long_run else FLAPS_S
        with observer.undisturbed() as talks:
            parts: list[Callable[[], None]] = [
                lambda: faults.flap("node1", for_s=for_s),
                lambda: faults.flap("node2", for_s=for_s, way=Way.TO),
                lambda: use(observer, talks, until=time.monotonic() + for_s),
            ]
            in_parallel(parts, lambda work: work())

    def test_a_paused_master_evicts_no_pods(self, observer: Observer, faults: Faults, long_run: bool) -> None:
        ready = {node: observer.ready(node) for node in NODES}
        with observer.undisturbed() as talks:
            observer.pod("victim", "node2")
            container = observer.container("victim")
            with observer.cluster.client() as known, observer.cluster.client() as stranger:
                known.get(NAMESPACE)
                faults.pause("master")
                resumes_at = time.monotonic() + (MINUTE_S if long_run else STANDSTILL_S)
                observer.kill(*container)
                for name, client in (("known", known), ("stranger", stranger)):
                    with pytest.raises(ClientError):
                        desired = service_at_an_address(name)
                        client.create(f"{NAMESPACE}/services", desired, timeout_s=ANSWER_S)
            while time.monotonic() < resumes_at:
                exchange([*talks, observer.talk("node1", "node2")])
                time.sleep(1.0)
            faults.resume("master")
            observer.cluster.wait_api()
            all_or_nothing(observer, "known", "stranger")
            eventually(lambda: observer.restarts("victim") == 1)
            observer.remove("victim")
        assert {node: observer.ready(node) for node in NODES} == ready, "a node was Unknown for a moment"


class TestSmallerMtu:
    @pytest.mark.parametrize("nodes", [("node1",), NODES], ids=["of one node", "of all"])
    def test_large_transfers_continue(self, observer: Observer, faults: Faults, nodes: tuple[str, ...]) -> None:
        with observer.undisturbed() as talks:
            exchange(talks, MEGABYTE)
            for node in nodes:
                faults.mtu(node, SMALL_MTU)
            exchange(talks, MEGABYTE)
            eventually(lambda: {mtu_of(observer, node) for node in nodes} == {SMALL_MTU - OVERHEAD})
            exchange(observer.talks(), MEGABYTE)
            for node in nodes:
                faults.heal(node)
            eventually(lambda: {mtu_of(observer, node) for node in nodes} == {USUAL_MTU - OVERHEAD})
            exchange([*talks, *observer.talks()], MEGABYTE)


def exchange(talks: Iterable[Talk], size: int = 1000) -> None:
    """Exchange `size` bytes on all connections in parallel."""
    in_parallel(talks, lambda talk: talk.exchange(size))


def between(one: str, other: str, talks: Iterable[Talk]) -> list[Talk]:
    return [talk for talk in talks if {talk.source, talk.target} == {one, other}]


def use(observer: Observer, talks: Iterable[Talk], *, until: float) -> None:
    """Start and delete pods on the node whose link flaps, and use the open connections, until this time."""
    number = 0
    while time.monotonic() < until:
        number += 1
        observer.pod(f"flappy-{number}", "node1")
        exchange(talks)
        observer.remove(f"flappy-{number}")


def mtu_of(observer: Observer, node: str) -> int:
    """The MTU of the overlay and of all pods' links, which must be the same at both ends."""
    links = [link for link in observer.cluster.host(node).links() if link.name.startswith(("sp", "sampan."))]
    mtus = {link.mtu for link in links} | {observer.pod_mtu(node)}
    assert len(mtus) == 1, f"{node}: {links}"
    return mtus.pop()


def service_at_an_address(name: str) -> dict[str, Any]:
    """A service that cannot be created twice: even a half-created one would keep its address."""
    address = {"known": "10.96.200.1", "stranger": "10.96.200.2"}[name]
    spec = {"clusterIP": address, "selector": {"app": name}, "ports": [{"port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def all_or_nothing(observer: Observer, *names: str) -> None:
    """Requests without an answer were carried out whole or not at all: each service can be created unless it exists.

    Deletes the services.
    """
    for name in names:
        desired = service_at_an_address(name)
        with suppress(AlreadyExists):
            observer.api.create(f"{NAMESPACE}/services", desired)
        current = observer.api.get(f"{NAMESPACE}/services/{name}")
        assert current["spec"]["clusterIP"] == desired["spec"]["clusterIP"]
        observer.api.delete(f"{NAMESPACE}/services/{name}")
    eventually(lambda: not set(names) & {each["metadata"]["name"] for each in items(observer.api, "endpoints")})


def one_connection_each(observer: Observer) -> bool:
    """Each agent has one connection to the master: those that faults interrupted are closed on both sides."""
    counts = {node: observer.connections(node) for node in NODES}
    assert counts == dict.fromkeys(NODES, 1)
    return True


def not_more(observer: Observer, before: dict[str, tuple[int, int]]) -> bool:
    """The processes have hardly more descriptors and threads. Thread pools may still grow up to their small limit."""
    for host, (descriptors, threads) in before.items():
        now = observer.usage(host)
        assert now[0] <= descriptors + 2 and now[1] <= threads + 8, f"{host}: {before[host]} became {now}"
    return True
