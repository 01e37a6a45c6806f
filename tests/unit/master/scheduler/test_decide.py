"""The decision over several nodes: the best node, fair turns, the message that kubectl shows, and a pod's requests."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from master.kinds.core.node import Node, NodeStatus
from master.kinds.core.pod.container import Container, ResourceRequirements
from master.kinds.core.pod.model import Pod, PodSpec
from master.scheduler.decide import Chosen, Decider, FitsNowhere, enough
from master.scheduler.model import NodeFacts, PodInfo, Request
from master.scheduler.snapshot import Snapshot

SMALL = Request(10, 10)


def snapshot(*facts: NodeFacts) -> Snapshot:
    made = Snapshot()
    for node_facts in facts:
        made.set_node(node_facts)
    return made


def big(name: str, **values: Any) -> NodeFacts:
    return NodeFacts(name, allocatable=Request(1000, 1000), **values)


def pod(uid: str, *, node: str = "", request: Request = SMALL, **values: Any) -> PodInfo:
    return PodInfo(uid=uid, namespace="default", name=uid, node_name=node, request=request, weight=request, **values)


def test_the_node_with_more_free_resources_is_chosen() -> None:
    view = snapshot(big("n1"), big("n2"))
    view.set_pod(pod("held", node="n1", request=Request(500, 500)))
    assert Decider().decide(pod("new"), view) == Chosen("n2")


def test_equal_nodes_take_turns() -> None:
    view, decider = snapshot(big("n1"), big("n2"), big("n3")), Decider()
    answers = [decider.decide(pod(f"p{i}"), view) for i in range(9)]
    assert Counter(a.node for a in answers if isinstance(a, Chosen)) == {"n1": 3, "n2": 3, "n3": 3}


def test_pods_of_a_service_are_spread_while_their_bindings_are_in_progress() -> None:
    view, decider = snapshot(big("n1"), big("n2"), big("n3")), Decider()
    view.set_selector("Service", "default", "web", {"app": "web"})
    for i in range(6):
        new = pod(f"p{i}", labels={"app": "web"})
        answer = decider.decide(new, view)
        assert isinstance(answer, Chosen)
        view.assume(new, answer.node)
    assert {node.name: len(node.pods) for node in view.nodes()} == {"n1": 2, "n2": 2, "n3": 2}


def test_the_message_counts_the_reasons() -> None:
    view = snapshot(big("n1"), big("n2"), big("n3", ready=False))
    answer = Decider().decide(pod("new", request=Request(2000, 1)), view)
    assert answer == FitsNowhere("0/3 nodes are available: 1 node(s) were not ready, 2 Insufficient cpu.")


def test_no_nodes() -> None:
    assert Decider().decide(pod("new"), snapshot()) == FitsNowhere("no nodes available to schedule pods")


def test_forgetting_a_pod_frees_its_resources() -> None:
    view = snapshot(big("n1"))
    first, second = pod("a", request=Request(1000, 1)), pod("b", request=Request(1000, 1))
    view.assume(first, "n1")
    assert isinstance(Decider().decide(second, view), FitsNowhere)
    view.forget("a")
    assert Decider().decide(second, view) == Chosen("n1")


def test_a_confirmed_pod_is_not_forgotten() -> None:
    view = snapshot(big("n1"))
    view.assume(pod("a"), "n1")
    view.set_pod(pod("a", node="n1"))
    view.forget("a")
    assert [list(node.pods) for node in view.nodes()] == [["a"]]


def test_pods_bound_before_their_node_exists_count() -> None:
    view = Snapshot()
    view.set_pod(pod("a", node="n1", request=Request(1000, 1)))
    assert list(view.nodes()) == []
    view.set_node(big("n1"))
    assert isinstance(Decider().decide(pod("b", request=Request(1, 1)), view), FitsNowhere)


@pytest.mark.parametrize(("nodes", "compared"), [(3, 3), (100, 100), (1000, 420), (5000, 500), (20000, 1000)])
def test_large_clusters_are_searched_partially(nodes: int, compared: int) -> None:
    assert enough(nodes) == compared


def container(**requests: str) -> Container:
    return Container(name="c", resources=ResourceRequirements(requests=requests))


def test_requests_of_a_pod() -> None:
    spec = PodSpec(
        containers=(container(cpu="500m", memory="1Mi"), container()),
        init_containers=(container(cpu="2"),),
        overhead={"cpu": "10m"},
    )
    info = PodInfo.of(Pod(spec=spec))
    assert info.request == Request(2010, 1 << 20)
    # The second container counts as 100m and 200Mi, the init container as 200Mi.
    assert info.weight == Request(2010, (1 << 20) + (200 << 20))


def test_a_limit_replaces_a_missing_request() -> None:
    container = Container(name="c", resources=ResourceRequirements(limits={"cpu": "1"}))
    assert PodInfo.of(Pod(spec=PodSpec(containers=(container,)))).request == Request(1000, 0)


@pytest.mark.parametrize(
    ("inits", "expected"),
    [
        pytest.param((("1", ""), ("3", "")), 3000, id="the largest of plain ones"),
        pytest.param((("100m", ""),), 500, id="less than the containers together"),
        pytest.param((("1", "Always"),), 1500, id="a sidecar runs beside the containers"),
        pytest.param((("1", "Always"), ("2", "")), 3000, id="a plain one beside an earlier sidecar"),
        pytest.param((("2", ""), ("1", "Always")), 2000, id="a plain one before a sidecar"),
    ],
)
def test_init_containers_count_as_they_run(inits: tuple[tuple[str, str], ...], expected: int) -> None:
    init_containers = tuple(replace(container(cpu=cpu), restart_policy=policy or None) for cpu, policy in inits)
    spec = PodSpec(containers=(container(cpu="250m"), container(cpu="250m")), init_containers=init_containers)
    assert PodInfo.of(Pod(spec=spec)).request.cpu_millis == expected


def test_all_resources_of_a_pod_are_summed() -> None:
    first = container(**{"ephemeral-storage": "1Ki", "example.com/gpu": "1", "hugepages-2Mi": "2Mi"})
    second = container(**{"example.com/gpu": "2", "example.com/none": "0"})
    info = PodInfo.of(Pod(spec=PodSpec(containers=(first, second), overhead={"ephemeral-storage": "1"})))
    assert info.request.others == (("ephemeral-storage", 1025), ("example.com/gpu", 3), ("hugepages-2Mi", 2 << 20))


def test_what_a_node_allocates_comes_from_its_status() -> None:
    quantities = {"cpu": "2", "memory": "1Ki", "pods": "7", "ephemeral-storage": "1Mi", "example.com/gpu": "4"}
    facts = NodeFacts.of(Node(status=NodeStatus(capacity={"cpu": "9"}, allocatable=quantities)))
    assert facts.max_pods == 7
    assert facts.allocatable == Request(2000, 1024, (("ephemeral-storage", 1 << 20), ("example.com/gpu", 4)))
