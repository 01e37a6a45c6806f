"""The four faults, with real packets. Tests that repairs happen; tests/bench measures how long they take."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import faults
from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from tests.cluster.manifests import pod, replication_controller, service, shell
from tests.hosts import engine_of
from tests.probe import answers

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ECHO = shell("exec nc -ll -p 8080 -e cat")
"""Echoes what each connection sends, for as long as it is open."""


@pytest.fixture
def echo(cluster: Cluster, kubectl: Kubectl) -> Iterator[tuple[socket.socket, str]]:
    """An open connection from node1's own network through a cluster IP to a pod on node2, and the pod's name."""
    kubectl.create(
        pod("echo", labels={"app": "echo"}, container=ECHO, nodeName="node2"), service("echo", app="echo", port=7)
    )
    address = kubectl("get", "service", "echo", "-o", "jsonpath={.spec.clusterIP}")
    stream = eventually(lambda: open_echo(cluster, address))
    yield stream, "echo"
    stream.close()


def open_echo(cluster: Cluster, address: str) -> socket.socket | None:
    try:
        stream = cluster.host("node1").call(lambda: socket.create_connection((address, 7), timeout=2.0))
        assert_alive(stream)
    except (OSError, AssertionError):
        return None
    return stream


def assert_alive(stream: socket.socket) -> None:
    stream.settimeout(10.0)
    stream.sendall(b"still there?")
    assert stream.recv(64) == b"still there?"


def containers(cluster: Cluster, host: str) -> dict[str, str]:
    """Id and start time of every running container of a host's engine."""
    with engine_of(cluster, host) as engine:
        ids = [container["Id"] for container in engine.containers()]
        return {id_: str(engine.inspect_container(id_)["State"]["StartedAt"]) for id_ in ids}


def node_status(kubectl: Kubectl, node: str) -> str:
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return kubectl("get", "node", node, "-o", f"jsonpath={path}")


def pods_of(kubectl: Kubectl, app: str) -> list[dict[str, Any]]:
    return list(kubectl.json("get", "pods", "-l", f"app={app}")["items"])


def is_ready(obj: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in obj["status"].get("conditions", []))


class TestKilledProcesses:
    def test_an_agent_adopts_everything_after_it_was_killed(
        self, cluster: Cluster, kubectl: Kubectl, echo: tuple[socket.socket, str]
    ) -> None:
        stream, _ = echo
        before = {host: containers(cluster, host) for host in ("node1", "node2")}
        for host in ("node1", "node2"):
            faults.kill(cluster, host)
        assert_alive(stream)
        for host in ("node1", "node2"):
            faults.start(cluster, host)
        kubectl.create(pod("after", nodeName="node2"))
        eventually(lambda: kubectl("get", "pod", "after", "-o", "jsonpath={.status.phase}") == "Running")
        assert_alive(stream)
        for host, ids in before.items():
            now = containers(cluster, host)
            assert {id_: now.get(id_) for id_ in ids} == ids, f"{host} restarted or lost containers"
        restarts = kubectl("get", "pod", "echo", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")
        assert restarts == "0"

    def test_a_master_has_every_acknowledged_write_after_it_was_killed(
        self, cluster: Cluster, kubectl: Kubectl, echo: tuple[socket.socket, str]
    ) -> None:
        stream, _ = echo
        before = {host: containers(cluster, host) for host in ("node1", "node2", "node3")}
        names = [f"kept-{number}" for number in range(20)]
        written = {}
        for name in names:
            made = kubectl.json("create", "configmap", name, f"--from-literal=key={name}")
            written[name] = made["metadata"]["uid"]
        faults.kill(cluster, "master")
        assert_alive(stream)
        faults.start(cluster, "master")
        cluster.wait_api()
        current = {item["metadata"]["name"]: item["metadata"]["uid"] for item in kubectl.json("get", "cm")["items"]}
        assert {name: current.get(name) for name in names} == written
        eventually(lambda: all(node_status(kubectl, node) == "True" for node in ("node1", "node2", "node3")))
        kubectl.create(pod("later"))
        eventually(lambda: kubectl("get", "pod", "later", "-o", "jsonpath={.status.phase}") == "Running")
        assert_alive(stream)
        for host, ids in before.items():
            now = containers(cluster, host)
            assert {id_: now.get(id_) for id_ in ids} == ids, f"{host} restarted or lost containers"


class TestKilledContainer:
    def test_it_is_restarted_at_once_and_later_with_back_off(self, cluster: Cluster, kubectl: Kubectl) -> None:
        kubectl.create(pod("victim", nodeName="node1"))

        def status() -> dict[str, Any]:
            return dict(kubectl.json("get", "pod", "victim")["status"]["containerStatuses"][0])

        eventually(lambda: kubectl.json("get", "pod", "victim")["status"].get("containerStatuses"))
        eventually(lambda: "running" in status()["state"])
        with engine_of(cluster, "node1") as engine:
            engine.kill(status()["containerID"].removeprefix("docker://"))
            eventually(lambda: status()["restartCount"] == 1 and "running" in status()["state"])
            last = status()["lastState"]["terminated"]
            assert (last["exitCode"], last["reason"]) == (137, "Error")
            engine.kill(status()["containerID"].removeprefix("docker://"))
            waiting = eventually(lambda: status()["state"].get("waiting"))
            assert waiting["reason"] == "CrashLoopBackOff"
            assert "back-off" in waiting["message"]
            eventually(lambda: status()["restartCount"] == 2 and "running" in status()["state"], within_s=60)


class TestHostCutOff:
    def test_its_pods_are_replaced_on_other_nodes_and_removed_after_the_heal(
        self, cluster: Cluster, kubectl: Kubectl
    ) -> None:
        kubectl.create(replication_controller("web", 3), service("web", app="web"))
        eventually(lambda: sum(map(is_ready, pods_of(kubectl, "web"))) == 3)
        lost = [each for each in pods_of(kubectl, "web") if each["spec"]["nodeName"] == "node3"]
        assert lost, "the scheduler spreads a controller's pods over the nodes"
        address = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
        faults.cut(cluster, "node3")
        try:
            eventually(lambda: node_status(kubectl, "node3") == "Unknown", within_s=60)
            eventually(
                lambda: (
                    sum(is_ready(each) and each["spec"]["nodeName"] != "node3" for each in pods_of(kubectl, "web")) == 3
                ),
                within_s=60,
            )
            gone = {each["status"]["podIP"] for each in lost}
            eventually(lambda: not gone & endpoint_addresses(kubectl, "web"))
            # Every new connection reaches a pod on a healthy node.
            eventually(lambda: answers(cluster, "node1", address, 80))
            for _ in range(20):
                assert answers(cluster, "node1", address, 80)
            held = containers(cluster, "node3")
            assert held, "a node that is cut off must keep its containers"
        finally:
            faults.heal(cluster, "node3")
        eventually(lambda: node_status(kubectl, "node3") == "True", within_s=60)
        uids = {each["metadata"]["uid"] for each in lost}
        eventually(lambda: not uids & pod_uids_on(cluster, "node3"), within_s=60)
        left = {each["metadata"]["uid"] for each in pods_of(kubectl, "web")}
        eventually(lambda: not uids & {each["metadata"]["uid"] for each in pods_of(kubectl, "web")}, within_s=60)
        assert len(left - uids) == 3
        # The addresses are free again: the kernel has no routes to them.
        routes = host_text(cluster, "node3", "ip", "route")
        assert not [address_ for address_ in gone if f"{address_} " in routes]

    def test_a_node_deleted_while_it_is_cut_off_cleans_itself_and_logs_it(
        self, fresh_cluster: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
    ) -> None:
        cluster = fresh_cluster
        kubectl = kubectl_for(cluster)
        kubectl.create(pod("doomed", nodeName="node2"))
        eventually(lambda: kubectl("get", "pod", "doomed", "-o", "jsonpath={.status.phase}") == "Running")
        assert containers(cluster, "node2")
        faults.cut(cluster, "node2")
        kubectl("delete", "node", "node2")
        eventually(lambda: "NotFound" in kubectl.tried("get", "pod", "doomed").stderr, within_s=60)
        faults.heal(cluster, "node2")
        eventually(lambda: cluster.record("node2") is None, within_s=90)
        assert "removed; join again" in cluster.log("node2").read_text()
        assert containers(cluster, "node2") == {}
        links = host_text(cluster, "node2", "ip", "-o", "link")
        assert "sampan.vxlan" not in links and ": sp" not in links
        assert "SAMPAN" not in host_text(cluster, "node2", "iptables-legacy-save")
        assert "node2" not in kubectl("get", "nodes")


class TestDrift:
    FOREIGN = ("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "192.0.2.1/32", "-j", "ACCEPT")

    @pytest.mark.parametrize("node", ["node1"])
    @pytest.mark.parametrize(
        ("harm", "look"),
        [
            pytest.param(("iptables-legacy", "-t", "nat", "-F", "{chain}"), "rules", id="one of our chains flushed"),
            pytest.param(("ip", "link", "delete", "sampan.vxlan"), "overlay", id="the VTEP deleted"),
            pytest.param(("ip", "neigh", "del", "{peer}", "dev", "sampan.vxlan"), "overlay", id="a neighbour removed"),
        ],
    )
    def test_is_repaired_and_rules_of_others_are_untouched(
        self, cluster: Cluster, kubectl: Kubectl, node: str, harm: tuple[str, ...], look: str
    ) -> None:
        kubectl.create(
            pod("far", labels={"app": "far"}, nodeName="node2"), service("far", app="far"), pod("near", nodeName=node)
        )
        address = kubectl("get", "service", "far", "-o", "jsonpath={.spec.clusterIP}")
        eventually(lambda: answers(cluster, node, address, 80))
        eventually(lambda: kubectl("get", "pod", "near", "-o", "jsonpath={.status.phase}") == "Running")
        host_text(cluster, node, *self.FOREIGN)
        seen = {"rules": rules, "overlay": overlay}[look]
        # Pods of earlier tests are still being deleted, which changes the rules: wait until these are stable.
        before = eventually(lambda: at_rest(cluster, node, seen))
        peer = host_text(cluster, node, "ip", "neigh", "show", "dev", "sampan.vxlan", "nud", "permanent").split()[0]
        host_text(cluster, node, *(word.format(chain="SAMPAN-SERVICES", peer=peer) for word in harm))
        try:
            eventually(lambda: seen(cluster, node) == before)
            eventually(lambda: answers(cluster, node, address, 80))
            assert "192.0.2.1/32" in rules(cluster, node)
            eventually(lambda: "NetworkMended" in kubectl("get", "events", "-A"))
        finally:
            host_text(cluster, node, *("-D" if word == "-A" else word for word in self.FOREIGN))


def at_rest(cluster: Cluster, host: str, seen: Any) -> str:
    """What `seen` reads, if it reads the same twice; otherwise empty."""
    first = seen(cluster, host)
    return str(first) if first == seen(cluster, host) else ""


def rules(cluster: Cluster, host: str) -> str:
    text = host_text(cluster, host, "iptables-legacy-save")
    return "\n".join(line for line in text.split("\n") if line.startswith("-A"))


def overlay(cluster: Cluster, host: str) -> str:
    parts = [
        host_text(cluster, host, "ip", "route", "show", "dev", "sampan.vxlan"),
        host_text(cluster, host, "ip", "neigh", "show", "dev", "sampan.vxlan", "nud", "permanent"),
        host_text(cluster, host, "bridge", "fdb", "show", "dev", "sampan.vxlan"),
    ]
    return "\n".join(sorted(line for part in parts for line in part.split("\n")))


def host_text(cluster: Cluster, host: str, *command: str) -> str:
    return cluster.host(host).run(command, check=False).stdout


def endpoint_addresses(kubectl: Kubectl, name: str) -> set[str]:
    subsets = kubectl.json("get", "endpoints", name).get("subsets") or []
    return {address["ip"] for subset in subsets for address in subset.get("addresses", [])}


def pod_uids_on(cluster: Cluster, host: str) -> set[str]:
    with engine_of(cluster, host) as engine:
        return {each["Labels"].get("io.sampan.pod.uid", "") for each in engine.containers(all=True)}
