"""What the controllers of pods decide: which pods go first, how fast pods are made, and when one is available."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from master.controllers.workload import order
from master.controllers.workload.pods import available_in, batches
from master.kinds.core.pod.container import ContainerStatus
from master.kinds.core.pod.model import Pod
from tests.fakes.cluster import pod

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


def aged(made: Pod, created: str = "2026-01-01T00:00:00Z", restarts: int = 0) -> Pod:
    statuses = (ContainerStatus(name="app", restart_count=restarts),)
    return replace(
        made,
        metadata=replace(made.metadata, creation_timestamp=created),
        status=replace(made.status, container_statuses=statuses),
    )


def surplus(pods: list[Pod], count: int) -> list[Any]:
    return order.surplus(pods, count, related=pods, now=NOW)


def with_cost(made: Pod, cost: str) -> Pod:
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost}
    return replace(made, metadata=replace(made.metadata, annotations=annotations))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(pod("a"), pod("b", node="n1", ready=True), id="without a node"),
        pytest.param(pod("a", node="n1", phase="Pending"), pod("b", node="n2", ready=True), id="pending"),
        pytest.param(pod("a", node="n1", phase="Running"), pod("b", node="n2", ready=True), id="not ready"),
        pytest.param(
            aged(pod("a", node="n1", ready=True), restarts=5), aged(pod("b", node="n2", ready=True)), id="restarts"
        ),
        pytest.param(
            aged(pod("a", node="n1", ready=True), "2026-01-01T00:30:00Z"),
            aged(pod("b", node="n2", ready=True)),
            id="newer",
        ),
        pytest.param(
            with_cost(pod("a", node="n1", ready=True), "-5"), pod("b", node="n2", ready=True), id="a negative cost"
        ),
        pytest.param(pod("a", node="n1", ready=True), with_cost(pod("b", node="n2", ready=True), "10"), id="a cost"),
        pytest.param(
            pod("a", node="n1"), with_cost(pod("b", node="n2", ready=True), "-9"), id="readiness before the cost"
        ),
    ],
)
def test_deletion_order(first: Pod, second: Pod) -> None:
    assert surplus([second, first], 1) == [first]


def test_the_node_with_the_most_pods_loses_one_first() -> None:
    pods = [pod("a", node="n1", ready=True), pod("b", node="n2", ready=True), pod("c", node="n2", ready=True)]
    assert surplus(pods, 1)[0].spec.node_name == "n2"


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (7, [1, 2, 4]), (10, [1, 2, 4, 3]), (200, [1, 2, 4, 8, 16, 32, 64, 64, 9])]
)
def test_creations_start_slowly(count: int, sizes: list[int]) -> None:
    assert batches(count) == sizes


def test_availability_counts_from_readiness() -> None:
    since = (NOW - timedelta(seconds=45)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = pod("a", ready=True)
    ready = replace(
        ready,
        status=replace(ready.status, conditions=(replace(ready.status.conditions[0], last_transition_time=since),)),
    )

    def age(moment: datetime) -> float:
        return (NOW - moment).total_seconds()

    assert available_in(ready, 60, age) == 15
    assert available_in(ready, 0, age) == 0
    assert available_in(pod("b", node="n1"), 60, age) is None
