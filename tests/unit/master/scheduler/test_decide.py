"""The decision over several nodes: the best one, fair turns, the refusal in kubectl's words, and the pod's numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from master.api.kinds.container import Container, ResourceRequirements
from master.api.kinds.pod import Pod, PodSpec
from master.scheduler.decide import Chosen, Decider, FitsNowhere, enough
from master.scheduler.model import NodeFacts, PodInfo, Request
from master.scheduler.snapshot import Snapshot

SMALL = Request(10, 10)


def snapshot(*facts: NodeFacts) -> Snapshot:
    made = Snapshot()
    for one in facts:
        made.set_node(one)
    return made


def big(name: str, **values: Any) -> NodeFacts:
    return NodeFacts(name, allocatable=Request(1000, 1000), **values)


def pod(uid: str, *, node: str = "", request: Request = SMALL, **values: Any) -> PodInfo:
    return PodInfo(uid=uid, namespace="default", name=uid, node_name=node, request=request, weight=request, **values)


def test_the_emptier_node_is_chosen() -> None:
    view = snapshot(big("n1"), big("n2"))
    view.set_pod(pod("held", node="n1", request=Request(500, 500)))
    assert Decider().decide(pod("new"), view) == Chosen("n2")


def test_equal_nodes_take_turns() -> None:
    view, decider = snapshot(big("n1"), big("n2"), big("n3")), Decider()
    answers = [decider.decide(pod(f"p{i}"), view) for i in range(9)]
    assert Counter(a.node for a in answers if isinstance(a, Chosen)) == {"n1": 3, "n2": 3, "n3": 3}


def test_pods_of_one_service_are_spread_also_while_their_bindings_are_under_way() -> None:
    view, decider = snapshot(big("n1"), big("n2"), big("n3")), Decider()
    view.set_selector("Service", "default", "web", {"app": "web"})
    for i in range(6):
        one = pod(f"p{i}", labels={"app": "web"})
        answer = decider.decide(one, view)
        assert isinstance(answer, Chosen)
        view.assume(one, answer.node)
    assert {node.name: len(node.pods) for node in view.nodes()} == {"n1": 2, "n2": 2, "n3": 2}


def test_the_refusal_counts_the_reasons() -> None:
    view = snapshot(big("n1"), big("n2"), big("n3", ready=False))
    answer = Decider().decide(pod("new", request=Request(2000, 1)), view)
    assert answer == FitsNowhere("0/3 nodes are available: 1 node(s) were not ready, 2 Insufficient cpu.")


def test_no_nodes() -> None:
    assert Decider().decide(pod("new"), snapshot()) == FitsNowhere("no nodes available to schedule pods")


def test_forgotten_pods_give_their_room_back() -> None:
    view = snapshot(big("n1"))
    first, second = pod("a", request=Request(1000, 1)), pod("b", request=Request(1000, 1))
    view.assume(first, "n1")
    assert isinstance(Decider().decide(second, view), FitsNowhere)
    view.forget("a")
    assert Decider().decide(second, view) == Chosen("n1")


def test_what_the_watch_confirmed_is_not_forgotten() -> None:
    view = snapshot(big("n1"))
    view.assume(pod("a"), "n1")
    view.set_pod(pod("a", node="n1"))
    view.forget("a")
    assert [list(node.pods) for node in view.nodes()] == [["a"]]


def test_pods_bound_to_a_node_that_comes_later_count() -> None:
    view = Snapshot()
    view.set_pod(pod("a", node="n1", request=Request(1000, 1)))
    assert list(view.nodes()) == []
    view.set_node(big("n1"))
    assert isinstance(Decider().decide(pod("b", request=Request(1, 1)), view), FitsNowhere)


@pytest.mark.parametrize(("nodes", "compared"), [(3, 3), (100, 100), (1000, 420), (5000, 500), (20000, 1000)])
def test_large_clusters_are_searched_in_part(nodes: int, compared: int) -> None:
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


def test_a_limit_stands_for_a_missing_request() -> None:
    one = Container(name="c", resources=ResourceRequirements(limits={"cpu": "1"}))
    assert PodInfo.of(Pod(spec=PodSpec(containers=(one,)))).request == Request(1000, 0)
