"""The decision: the best node for a pod, or why there is none. No I/O; the only state is where the last one ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from master.scheduler.model import NodeInfo, PodInfo
from master.scheduler.policy import DEFAULT_POLICY, Policy
from master.scheduler.snapshot import Snapshot

# From this many nodes on, the search ends when enough of them fit: looking at all of 5,000 nodes for each pod costs
# more than the slightly better place is worth (Kubernetes' numFeasibleNodesToFind).
SEARCH_ALL_BELOW = 100


@dataclass(frozen=True, slots=True)
class Chosen:
    """The pod goes there."""

    node: str


@dataclass(frozen=True, slots=True)
class FitsNowhere:
    """No node takes the pod; `message` as kubectl shows it."""

    message: str


def enough(nodes: int) -> int:
    """How many nodes that fit are compared: all below 100, else 50 % minus one per 125 nodes, 5 % and 100 at least."""
    if nodes <= SEARCH_ALL_BELOW:
        return nodes
    percent = max(5, 50 - nodes // 125)
    return max(SEARCH_ALL_BELOW, nodes * percent // 100)


def refusal(total: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were not ready.`"""
    if not total:
        return "no nodes available to schedule pods"
    listed = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"0/{total} nodes are available: {', '.join(listed)}."


class Decider:
    """Chooses nodes. Equal nodes take turns, and a search that ends early begins where the last one ended."""

    def __init__(self, policy: Policy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._start = 0
        self._turn = 0

    def decide(self, pod: PodInfo, snapshot: Snapshot) -> Chosen | FitsNowhere:
        """The node with the highest score of those that no predicate objects to."""
        feasible, reasons = self._feasible(pod, snapshot)
        if not feasible:
            return FitsNowhere(refusal(len(snapshot.nodes()), reasons))
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
        # In order of names, whatever order the search met them in: only so do turns come round evenly.
        return Chosen(sorted(best)[self._turn % len(best)])

    def _feasible(self, pod: PodInfo, snapshot: Snapshot) -> tuple[list[NodeInfo], Counter[str]]:
        nodes = snapshot.nodes()
        wanted = enough(len(nodes))
        found: list[NodeInfo] = []
        reasons: Counter[str] = Counter()
        looked = 0
        while looked < len(nodes) and len(found) < wanted:
            node = nodes[(self._start + looked) % len(nodes)]
            looked += 1
            if node.facts is None:
                continue
            objections = self._policy.objections(pod, node, node.facts)
            if objections:
                reasons.update(objections)
            else:
                found.append(node)
        self._start = (self._start + looked) % len(nodes) if nodes else 0
        return found, reasons
