"""The decision: the best node for a pod, or why there is none. No I/O; its state is where the last search ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from master.scheduler.model import NodeInfo, PodInfo
from master.scheduler.policy import DEFAULT_POLICY, Policy
from master.scheduler.snapshot import Snapshot

# In larger clusters the search ends when enough nodes fit: checking all of 5,000 nodes for each pod costs more than a
# slightly better node is worth (Kubernetes' numFeasibleNodesToFind).
SEARCH_ALL_BELOW = 100


@dataclass(frozen=True, slots=True)
class Chosen:
    """The node that the pod is bound to."""

    node: str


@dataclass(frozen=True, slots=True)
class FitsNowhere:
    """The pod fits on no node; `message` is what kubectl shows."""

    message: str


def enough(nodes: int) -> int:
    """The number of fitting nodes to compare: all of up to 100, else 50 % less 1 % per 125, at least 5 % and 100."""
    if nodes <= SEARCH_ALL_BELOW:
        return nodes
    percent = max(5, 50 - nodes // 125)
    return max(SEARCH_ALL_BELOW, nodes * percent // 100)


def refusal(total: int, reasons: Iterable[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were not ready.`"""
    if not total:
        return "no nodes available to schedule pods"
    return f"0/{total} nodes are available: {', '.join(reasons)}."


class Decider:
    """Chooses nodes. Nodes with equal scores take turns; each search begins where the last one ended."""

    def __init__(self, policy: Policy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._start = 0
        self._turn = 0

    def decide(self, pod: PodInfo, snapshot: Snapshot) -> Chosen | FitsNowhere:
        """The node with the highest score among those that all predicates accept."""
        feasible, reasons = self._feasible(pod, snapshot)
        if not feasible:
            counted = sorted(f"{count} {reason}" for reason, count in reasons.items())
            return FitsNowhere(refusal(len(snapshot.nodes()), counted))
        if len(feasible) == 1:
            return Chosen(feasible[0].name)
        spread = snapshot.spread_of(pod)
        best: list[str] = []
        highest = -1.0
        for node in feasible:
            if node.facts is None:
                continue
            score = self._policy.score(pod, node, node.facts, spread)
            if score > highest:
                best, highest = [node.name], score
            elif score == highest:
                best.append(node.name)
        self._turn += 1
        # Sorted by name, because the order of the search differs from pod to pod and turns would not be even.
        return Chosen(sorted(best)[self._turn % len(best)])

    def _feasible(self, pod: PodInfo, snapshot: Snapshot) -> tuple[list[NodeInfo], Counter[str]]:
        nodes = snapshot.nodes()
        limit = enough(len(nodes))
        feasible: list[NodeInfo] = []
        reasons: Counter[str] = Counter()
        checked = 0
        while checked < len(nodes) and len(feasible) < limit:
            node = nodes[(self._start + checked) % len(nodes)]
            checked += 1
            if node.facts is None:
                continue
            rejections = self._policy.rejections(pod, node, node.facts)
            if rejections:
                reasons.update(rejections)
            else:
                feasible.append(node)
        self._start = (self._start + checked) % len(nodes) if nodes else 0
        return feasible, reasons
