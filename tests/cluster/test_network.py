"""Connections in a real cluster: from pods, from nodes and from outside; several ports, named ports, refusals."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.kubectl import Kubectl
from netrig.plugin import eventually
from netrig.plugin.fixtures import MakeProber
from netrig.probe import Outcome, tcp
from tests.cluster.manifests import container_id, deployment, http_in, pod, service, shell, shell_in
from tests.probe import answers

pytestmark = pytest.mark.cluster
NODES = ("node1", "node2", "node3")


def running(kubectl: Kubectl, app: str) -> tuple[str, str]:
    container = eventually(lambda: container_id(kubectl, f"app={app}"))
    assert container is not None
    return container


def cluster_ip(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")


def fields(answer: str) -> dict[str, str]:
    """The fields `pod`, `podIP` and `client` of the web server's answer."""
    return dict(line.split(": ", 1) for line in answer.splitlines())


def test_pods_reach_each_other_by_address_on_one_node_and_across_nodes(cluster: Cluster, kubectl: Kubectl) -> None:
    for name, node in (("a", "node1"), ("b", "node1"), ("c", "node2")):
        kubectl.create(pod(name, labels={"app": name}, nodeName=node))
    places = {name: running(kubectl, name) for name in ("a", "b", "c")}
    address = {name: str(kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}")) for name in places}
    node, container = places["a"]
    for other in ("b", "c"):
        answer = fields(http_in(cluster, node, container, address[other], 8080))
        assert answer == {"pod": other, "podIP": address[other], "client": address["a"]}


def test_a_service_is_reached_from_pods_nodes_its_own_pod_and_outside(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(
        pod("web", labels={"app": "web"}, nodeName="node1"),
        pod("near", labels={"app": "near"}, nodeName="node1"),
        pod("far", labels={"app": "far"}, nodeName="node2"),
        service("web", app="web", type="NodePort"),
    )
    address = cluster_ip(kubectl, "web")
    port = int(kubectl("get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}"))
    for host in NODES:
        assert fields(eventually(lambda host=host: answers(cluster, host, address, 80)))["pod"] == "web"
    for name in ("near", "far", "web"):
        node, container = running(kubectl, name)
        answer = fields(http_in(cluster, node, container, address, 80))
        assert answer["pod"] == "web"
        if name != "web":
            # Between pods the source address is kept, also through a service.
            assert answer["client"] == kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}")
    for host in cluster.lab.state.nodes:
        for asker in (None, "node3", host.name):
            answer = eventually(lambda asker=asker, host=host: answers(cluster, asker, str(host.address), port))
            assert fields(answer)["pod"] == "web", (asker, host.name)


def test_several_ports_with_named_target_ports(cluster: Cluster, kubectl: Kubectl, probe: MakeProber) -> None:
    named = {"ports": [{"name": "http", "containerPort": 8080}]}
    ports: list[dict[str, Any]] = [
        {"name": "first", "port": 81, "targetPort": "http"},
        {"name": "second", "port": 82, "targetPort": 8080},
        {"name": "silent", "port": 83, "targetPort": "nobody"},
    ]
    kubectl.create(pod("many", labels={"app": "many"}, container=named), service("many", app="many", ports=ports))
    address = cluster_ip(kubectl, "many")
    for port in (81, 82):
        assert eventually(lambda port=port: answers(cluster, "node2", address, port))
    probe(cluster.host("node2")).expect(Outcome.REFUSED, tcp(address, 83))


def test_connections_are_spread_over_all_endpoints(cluster: Cluster, kubectl: Kubectl) -> None:
    names = [f"spread-{node}" for node in NODES]
    kubectl.create(
        *(pod(name, labels={"app": "spread"}, nodeName=node) for name, node in zip(names, NODES, strict=True)),
        service("spread", app="spread"),
    )
    address = cluster_ip(kubectl, "spread")
    eventually(lambda: {fields(answer)["pod"] for answer in replies(cluster, address, 12)} == set(names))
    counts = [fields(answer)["pod"] for answer in replies(cluster, address, 150)]
    # An even split gives 50 each; less than 20 has a chance of one in ten million.
    assert all(counts.count(name) >= 20 for name in names)


def replies(cluster: Cluster, address: str, number: int) -> list[str]:
    return [answer for _ in range(number) if (answer := answers(cluster, "node1", address, 80))]


def test_a_service_without_endpoints_refuses_at_once(cluster: Cluster, kubectl: Kubectl, probe: MakeProber) -> None:
    kubectl.create(service("nobody", app="nobody", type="NodePort"))
    address = cluster_ip(kubectl, "nobody")
    port = int(kubectl("get", "service", "nobody", "-o", "jsonpath={.spec.ports[0].nodePort}"))
    node = next(iter(cluster.lab.state.nodes))
    probe(cluster.host("node1")).eventually(Outcome.REFUSED, tcp(address, 80), within_s=30.0)
    probe(None).eventually(Outcome.REFUSED, tcp(str(node.address), port), within_s=30.0)


def test_the_api_is_reached_through_its_service_from_a_pod(
    cluster: Cluster, kubectl: Kubectl, probe: MakeProber
) -> None:
    kubectl.create(pod("asks", labels={"app": "asks"}, nodeName="node2"))
    node, container = running(kubectl, "asks")
    host = shell_in(cluster, node, container, 'echo "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"').strip()
    assert host == "10.96.0.1:443"
    probe(cluster.host("node2")).expect(Outcome.REPLY, tcp("10.96.0.1", 443))
    shell_in(cluster, node, container, "nc -w 3 10.96.0.1 443 </dev/null")


def test_packets_that_leave_the_cluster_have_the_nodes_address(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(pod("out", labels={"app": "out"}, nodeName="node1"))
    node, container = running(kubectl, "out")
    with closing(listener_outside(cluster)) as listener:
        port = listener.getsockname()[1]
        outside = listener.getsockname()[0]
        shell_in(cluster, node, container, f"timeout 2 nc {outside} {port} </dev/null; true")
        accepted, (source, _) = listener.accept()
        accepted.close()
    assert source == str(cluster.lab.state.host(node).address)


def listener_outside(cluster: Cluster) -> socket.socket:
    """A listening socket at the root namespace's address in the lab: outside of the cluster, without routes to pods."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        unsent.connect((str(cluster.lab.state.host("node1").address), 9))
        own = unsent.getsockname()[0]
    listener = socket.create_server((own, 0))
    listener.settimeout(10.0)
    return listener


def test_a_deleted_pod_leaves_the_service(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl.create(
        pod("stays", labels={"app": "pool"}, nodeName="node1"),
        pod("goes", labels={"app": "pool"}, nodeName="node2"),
        service("pool", app="pool"),
    )
    address = cluster_ip(kubectl, "pool")
    eventually(lambda: len({fields(answer)["pod"] for answer in replies(cluster, address, 12)}) == 2)
    kubectl("delete", "pod", "goes")
    eventually(lambda: {fields(answer)["pod"] for answer in replies(cluster, address, 12)} == {"stays"})
    for _ in range(30):
        assert fields(answers(cluster, "node1", address, 80))["pod"] == "stays"


def test_no_connection_is_refused_while_a_deployment_rolls_to_a_new_template(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    # The web server is a sidecar, and an init container waits until it answers: there are no readiness probes, so that
    # a pod could be ready before it listens. As the first process of its container, the server ignores SIGTERM, so that
    # it serves until it is killed.
    made = deployment("rolls", 3, container=shell("trap 'exit 0' TERM; sleep 600 & wait"), minReadySeconds=1)
    pods = made["spec"]["template"]["spec"]
    image = {"image": "tomcat", "imagePullPolicy": "IfNotPresent"}
    asks = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 127.0.0.1 8080"
    pods["initContainers"] = [
        {"name": "web", "restartPolicy": "Always", "command": ["/web/start"], **image},
        {"name": "waits", **shell(f"until {asks} | grep -q 200; do sleep 0.1; done"), **image},
    ]
    pods["terminationGracePeriodSeconds"] = 3
    kubectl.create(made, service("rolls", app="rolls"))
    kubectl("rollout", "status", "deployment/rolls")
    before = set(kubectl("get", "pods", "-o", "name").split())
    address = cluster_ip(kubectl, "rolls")
    eventually(lambda: answers(cluster, "node1", address, 80))
    kubectl("set", "env", "deployment/rolls", "ROUND=2")
    served = set()
    with kubectl.lines("rollout", "status", "deployment/rolls") as lines, ThreadPoolExecutor(1) as waits:
        done = waits.submit(lambda: [line for line in lines if "successfully rolled out" in line])
        while not done.done():
            answer = answers(cluster, "node1", address, 80)
            assert answer, f"refused after answers of {sorted(served)}"
            served.add(f"pod/{fields(answer)['pod']}")
        assert done.result()
    assert served & before and served - before
    assert len(kubectl.json("get", "replicasets")["items"]) == 2
