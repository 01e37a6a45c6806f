"""Each priority as a table of scores, computed by hand from its formula."""

from __future__ import annotations

import pytest

from master.scheduler.errors import PolicyError
from master.scheduler.model import NodeFacts, NodeInfo, PodInfo, Request
from master.scheduler.policy import Policy, Weighted
from master.scheduler.priorities import Spread, balanced_resource_allocation, least_requested, selector_spread

FACTS = NodeFacts("n1", allocatable=Request(1000, 1000))


def pod(cpu: int, memory: int, uid: str = "new") -> PodInfo:
    return PodInfo(uid=uid, namespace="default", name=uid, weight=Request(cpu, memory))


def node(cpu: int = 0, memory: int = 0) -> NodeInfo:
    made = NodeInfo("n1", FACTS)
    made.add(pod(cpu, memory, "held"))
    return made


@pytest.mark.parametrize(
    ("requested", "used", "score"),
    [
        pytest.param((0, 0), (0, 0), 10.0, id="empty"),
        pytest.param((500, 500), (0, 0), 5.0, id="half"),
        # (cpu 10 + memory 0) / 2: without the parentheses it would be 10.
        pytest.param((0, 1000), (0, 0), 5.0, id="one side full"),
        pytest.param((200, 100), (300, 100), 6.5, id="beside another"),
        pytest.param((2000, 0), (0, 0), 5.0, id="more than there is counts as full"),
        pytest.param((1000, 1000), (0, 0), 0.0, id="full"),
    ],
)
def test_least_requested(requested: tuple[int, int], used: tuple[int, int], score: float) -> None:
    assert least_requested(pod(*requested), node(*used), FACTS, Spread()) == pytest.approx(score)


@pytest.mark.parametrize(
    ("requested", "score"),
    [
        pytest.param((500, 500), 10.0, id="even"),
        pytest.param((800, 200), 4.0, id="uneven"),
        pytest.param((900, 0), 1.0, id="one side"),
        pytest.param((1000, 1000), 0.0, id="full"),
    ],
)
def test_balanced_resource_allocation(requested: tuple[int, int], score: float) -> None:
    assert balanced_resource_allocation(pod(*requested), node(), FACTS, Spread()) == pytest.approx(score)


@pytest.mark.parametrize(
    ("counts", "score"),
    [
        pytest.param({}, 10.0, id="none anywhere"),
        pytest.param({"n2": 2}, 10.0, id="none on this node"),
        pytest.param({"n1": 1, "n2": 4}, 7.5, id="few on this node"),
        pytest.param({"n1": 4, "n2": 1}, 0.0, id="most on this node"),
    ],
)
def test_selector_spread(counts: dict[str, int], score: float) -> None:
    assert selector_spread(pod(0, 0), node(), FACTS, Spread.of(counts)) == pytest.approx(score)


def test_a_node_without_capacity_scores_0() -> None:
    bare = NodeFacts("n1")
    assert least_requested(pod(1, 1), NodeInfo("n1", bare), bare, Spread()) == 0
    assert balanced_resource_allocation(pod(1, 1), NodeInfo("n1", bare), bare, Spread()) == 0


def test_balanced_resource_allocation_needs_least_requested() -> None:
    with pytest.raises(PolicyError, match="together with LeastRequested"):
        Policy((), (Weighted(balanced_resource_allocation),))


def test_weights_multiply() -> None:
    policy = Policy((), (Weighted(least_requested, 2.0), Weighted(selector_spread, 3.0)))
    assert policy.score(pod(500, 500), node(), FACTS, Spread()) == pytest.approx(2 * 5 + 3 * 10)
