"""Priorities: how good is this node for this pod? Each returns 0 (worst) to 10 (best).

Pure functions of (pod, node, spread). A node's score is weight1 * priority1 + weight2 * priority2 + ... of a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from master.scheduler.model import NodeFacts, NodeInfo, PodInfo

HIGHEST = 10.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The number of pods of the same services and controllers on each node (absent: 0), and the largest number."""

    counts: Mapping[str, int] = field(default_factory=dict)
    most: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Spread:
        return cls(counts, max(counts.values(), default=0))


Priority = Callable[[PodInfo, NodeInfo, NodeFacts, Spread], float]


def least_requested(pod: PodInfo, node: NodeInfo, facts: NodeFacts, _spread: Spread) -> float:
    """LeastRequested: the node with the largest unrequested share is the best.

    (cpu((capacity - sum(requested)) * 10 / capacity) + memory((capacity - sum(requested)) * 10 / capacity)) / 2,
    where the sum includes this pod, and a container without requests counts as 100m and 200Mi.
    """
    after = node.weight + pod.weight
    cpu = _unrequested(after.cpu_millis, facts.allocatable.cpu_millis)
    memory = _unrequested(after.memory_bytes, facts.allocatable.memory_bytes)
    return (cpu + memory) / 2


def _unrequested(requested: int, capacity: int) -> float:
    if capacity <= 0 or requested > capacity:
        return 0.0
    return (capacity - requested) * HIGHEST / capacity


def balanced_resource_allocation(pod: PodInfo, node: NodeInfo, facts: NodeFacts, _spread: Spread) -> float:
    """BalancedResourceAllocation: the node with the most even use of cpu and memory is the best.

    10 - abs(cpuFraction - memoryFraction) * 10, where a fraction is requested / capacity with this pod; 0 when either
    is 1 or more. Only together with LeastRequested: alone it would prefer a full node to an empty one.
    """
    after = node.weight + pod.weight
    if not facts.allocatable.cpu_millis or not facts.allocatable.memory_bytes:
        return 0.0
    cpu = after.cpu_millis / facts.allocatable.cpu_millis
    memory = after.memory_bytes / facts.allocatable.memory_bytes
    if cpu >= 1 or memory >= 1:
        return 0.0
    return HIGHEST - abs(cpu - memory) * HIGHEST


def selector_spread(_pod: PodInfo, node: NodeInfo, _facts: NodeFacts, spread: Spread) -> float:
    """SelectorSpread: the node with the fewest pods of the same service or replication controller is the best.

    10 * (most - count) / most, where most is the largest count on any node; 10 when there is no such pod.
    """
    if not spread.most:
        return HIGHEST
    return HIGHEST * (spread.most - spread.counts.get(node.name, 0)) / spread.most
