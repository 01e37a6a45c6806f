"""A node's engine and its containers change behind the agent's back: in the end each pod runs exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker.errors import APIError

from lab import faults
from lab.cluster import Cluster
from lab.faults import Target
from lab.kubectl import Kubectl
from lab.plugin.pool import ClusterPool
from netrig.plugin import eventually
from tests.cluster.manifests import pod, shell
from tests.hosts import engine_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NODE = "node1"


@pytest.fixture(scope="module")
def one_node(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """A cluster of one node, whose engine the tests break."""
    with cluster_pool.lend(nodes=1) as made:
        yield made


@pytest.fixture
def kubectl(one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]) -> Iterator[Kubectl]:
    """With a Ready pod, which is deleted afterwards."""
    made = kubectl_for(one_node)
    made.create(pod("web", container=shell("exec sleep 1000")))
    eventually(lambda: ready(made))
    yield made
    made("delete", "pod", "web", "--timeout=60s")
    assert containers(one_node, stopped=True) == []


def ready(kubectl: Kubectl) -> bool:
    conditions = kubectl.json("get", "pod", "web")["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(kubectl: Kubectl) -> int:
    return int(kubectl.json("get", "pod", "web")["status"]["containerStatuses"][0]["restartCount"])


def containers(cluster: Cluster, *, stopped: bool = False) -> list[str]:
    """The names of the engine's containers without the parts that differ from pod to pod."""
    with engine_of(cluster, NODE) as engine:
        return sorted("_".join(each["Names"][0].split("_")[2:]) for each in engine.containers(all=stopped))


def remove_all(cluster: Cluster) -> None:
    """Remove every container of the node's engine."""
    with engine_of(cluster, NODE) as engine:
        for each in engine.containers(all=True):
            try:
                engine.remove_container(each["Id"], force=True)
            except APIError as error:
                # Requests that an agent made before it was killed may be in progress, or just done.
                if error.status_code not in (404, 409):
                    raise
    eventually(lambda: containers(cluster, stopped=True) == [])


def by_hand(cluster: Cluster, do: Callable[[Any, str], None], name: str) -> None:
    """Apply `do` to the engine and a container, as an administrator would."""
    with engine_of(cluster, NODE) as engine:
        (container,) = (each["Id"] for each in engine.containers() if f"_{name}_" in each["Names"][0])
        do(engine, container)


def settled(cluster: Cluster, kubectl: Kubectl, restart_count: int) -> None:
    def look() -> bool:
        running = containers(cluster)
        assert [each.rsplit("_", 1)[0] for each in running] == ["POD", "main"], running
        return ready(kubectl) and restarts(kubectl) == restart_count

    eventually(look, within_s=60)


def test_a_container_restarted_by_hand_runs_once(one_node: Cluster, kubectl: Kubectl) -> None:
    by_hand(one_node, lambda engine, container: engine.restart(container, timeout=0), "main")
    settled(one_node, kubectl, 1)


def test_a_container_removed_by_hand_is_made_again(one_node: Cluster, kubectl: Kubectl) -> None:
    by_hand(one_node, lambda engine, container: engine.remove_container(container, force=True), "main")
    settled(one_node, kubectl, 1)


def test_a_sandbox_removed_by_hand_is_replaced_with_its_address(one_node: Cluster, kubectl: Kubectl) -> None:
    before = kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    by_hand(one_node, lambda engine, container: engine.remove_container(container, force=True), "POD")
    settled(one_node, kubectl, 1)
    assert kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}") == before


@pytest.mark.parametrize("fault", [faults.stop, faults.kill], ids=["stopped", "killed"])
def test_pods_come_back_with_their_engine(
    one_node: Cluster, kubectl: Kubectl, fault: Callable[[Cluster, str, Target], None]
) -> None:
    fault(one_node, NODE, "engine")
    message = eventually(lambda: not_ready(kubectl))
    assert "the container engine does not answer" in message
    faults.start(one_node, NODE, "engine")

    def back() -> bool:
        running = containers(one_node)
        assert [each.rsplit("_", 1)[0] for each in running] == ["POD", "main"], running
        return ready(kubectl)

    eventually(back, within_s=60)
    eventually(lambda: not not_ready(kubectl))
    events = kubectl.json("get", "events")["items"]
    assert not [each for each in events if each["reason"] == "FailedKillPod"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--long` longer than any call to the engine may take."""
    if "hang_s" in metafunc.fixturenames:
        metafunc.parametrize("hang_s", [130.0 if metafunc.config.getoption("--long") else 0.0])


def test_an_engine_that_hangs_is_reported_and_no_pod_is_given_up(
    one_node: Cluster, kubectl: Kubectl, hang_s: float
) -> None:
    kubectl.create(pod("going", container=shell("exec sleep 1000")))
    eventually(lambda: phase(kubectl, "going") == "Running")
    before = kubectl.json("get", "pod", "web")["status"]["containerStatuses"]
    faults.pause(one_node, NODE, "engine")
    try:
        kubectl.create(pod("coming", container=shell("exec sleep 1000")))
        kubectl("delete", "pod", "going", "--wait=false")
        time.sleep(hang_s)
        message = eventually(lambda: not_ready(kubectl), within_s=60)
        assert "the container engine does not answer: no reply within" in message
        assert kubectl("get", "pod", "web", "-o", "jsonpath={.metadata.deletionTimestamp}") == ""
        assert phase(kubectl, "coming") == "Pending" and ready(kubectl)
    finally:
        faults.resume(one_node, NODE, "engine")
    eventually(lambda: phase(kubectl, "coming") == "Running", within_s=60)
    eventually(lambda: "going" not in kubectl("get", "pods", "-o", "name"), within_s=60)
    eventually(lambda: not not_ready(kubectl))
    assert kubectl.json("get", "pod", "web")["status"]["containerStatuses"] == before
    kubectl("delete", "pod", "coming", "--timeout=60s")
    settled(one_node, kubectl, 0)


def test_a_pod_that_has_succeeded_is_not_run_again_when_its_container_vanishes(
    one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
) -> None:
    kubectl = kubectl_for(one_node)
    kubectl.create(pod("once", container=shell("true"), restartPolicy="Never"))
    eventually(lambda: phase(kubectl, "once") == "Succeeded")
    faults.kill(one_node, NODE, "agent")
    remove_all(one_node)
    faults.start(one_node, NODE, "agent")
    kubectl.create(pod("after"))  # when the new agent has run this one, it has examined the other one as well
    eventually(lambda: phase(kubectl, "after") == "Running")
    assert phase(kubectl, "once") == "Succeeded" and containers(one_node, stopped=True) == ["POD_0", "main_0"]
    kubectl("delete", "pod", "once", "after", "--timeout=60s")
    assert containers(one_node, stopped=True) == []


def test_a_pod_with_a_volume_of_an_unknown_kind_waits_with_a_reason(
    one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
) -> None:
    kubectl = kubectl_for(one_node)
    volume = {"name": "data", "fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}}
    kubectl.create(pod("far", volumes=[volume]))
    events = eventually(
        lambda: [each for each in kubectl.json("get", "events")["items"] if each["reason"] == "FailedMount"]
    )
    assert events[0]["type"] == "Warning" and "fc is not supported" in events[0]["message"]
    waiting = kubectl.json("get", "pod", "far")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ContainerCreating" and "fc" in waiting["message"]
    kubectl("delete", "pod", "far", "--timeout=60s")


def test_an_agent_that_was_killed_while_a_pod_stopped_finishes_the_stop(
    one_node: Cluster, kubectl_for: Callable[[Cluster], Kubectl]
) -> None:
    kubectl = kubectl_for(one_node)
    stubborn = shell("trap : TERM; while true; do sleep 1; done")
    kubectl.create(pod("slow", container=stubborn, terminationGracePeriodSeconds=3))
    eventually(lambda: phase(kubectl, "slow") == "Running")
    kubectl("delete", "pod", "slow", "--wait=false")
    faults.kill(one_node, NODE, "agent")
    faults.start(one_node, NODE, "agent")
    eventually(lambda: containers(one_node, stopped=True) == [])
    eventually(lambda: "slow" not in kubectl("get", "pods", "-o", "name"))


def not_ready(kubectl: Kubectl) -> str:
    """The message of the node's condition Ready if it is False; otherwise empty."""
    conditions = kubectl.json("get", "node", NODE)["status"]["conditions"]
    return next((each["message"] for each in conditions if (each["type"], each["status"]) == ("Ready", "False")), "")


def phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")
