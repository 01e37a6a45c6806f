"""Policies: the predicates and priorities that the scheduler uses, and the weight of each priority."""

from __future__ import annotations

from dataclasses import dataclass

from master.scheduler.errors import PolicyError
from master.scheduler.model import NodeFacts, NodeInfo, PodInfo
from master.scheduler.predicates import (
    Predicate,
    Reasons,
    host_name,
    match_node_selector,
    node_is_ready,
    node_is_schedulable,
    pod_fits_host_ports,
    pod_fits_resources,
    volumes_are_there,
)
from master.scheduler.priorities import (
    Priority,
    Spread,
    balanced_resource_allocation,
    least_requested,
    selector_spread,
)


@dataclass(frozen=True, slots=True)
class Weighted:
    """A priority and its weight."""

    priority: Priority
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How the scheduler decides. Predicates run in order; the first one that rejects a node gives the reasons."""

    predicates: tuple[Predicate, ...]
    priorities: tuple[Weighted, ...]

    def __post_init__(self) -> None:
        used = {weighted.priority for weighted in self.priorities}
        if balanced_resource_allocation in used and least_requested not in used:
            raise PolicyError("BalancedResourceAllocation must be used together with LeastRequested")
        if any(weighted.weight <= 0 for weighted in self.priorities):
            raise PolicyError("a priority's weight must be positive")

    def rejections(self, pod: PodInfo, node: NodeInfo, facts: NodeFacts) -> Reasons:
        """Why the pod may not run on the node; empty when it may."""
        for predicate in self.predicates:
            reasons = predicate(pod, node, facts)
            if reasons:
                return reasons
        return ()

    def score(self, pod: PodInfo, node: NodeInfo, facts: NodeFacts, spread: Spread) -> float:
        """weight1 * priority1 + weight2 * priority2 + ..."""
        return sum(weighted.weight * weighted.priority(pod, node, facts, spread) for weighted in self.priorities)


DEFAULT_POLICY = Policy(
    predicates=(
        node_is_ready,
        node_is_schedulable,
        host_name,
        match_node_selector,
        volumes_are_there,
        pod_fits_resources,
        pod_fits_host_ports,
    ),
    priorities=(Weighted(least_requested), Weighted(balanced_resource_allocation), Weighted(selector_spread)),
)
