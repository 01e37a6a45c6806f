"""The scheduler's snapshot of the cluster, updated with each change of the cache.

Owns the nodes, the pods on them (bound and assumed) and the selectors for spreading pods. A pod is assumed while its
binding is in progress: it counts from the decision on, so that the next decision sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from master.scheduler.model import NodeFacts, NodeInfo, PodInfo
from master.scheduler.priorities import Spread


class Snapshot:
    """Nodes, pods and selectors. Not thread-safe: it is used on the event loop only, and no method awaits."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._usable: list[NodeInfo] | None = None
        # Pod uid to the name of the node on which the pod is counted.
        self._places: dict[str, str] = {}
        self._assumed: set[str] = set()
        self._by_namespace: dict[str, dict[str, PodInfo]] = {}
        self._selectors: dict[str, dict[tuple[str, str], Mapping[str, str]]] = {}

    def nodes(self) -> Sequence[NodeInfo]:
        """All nodes that exist, in a stable order."""
        if self._usable is None:
            self._usable = [node for node in self._nodes.values() if node.facts is not None]
        return self._usable

    def node(self, name: str) -> NodeInfo | None:
        """The node, or None. Its `facts` are None when only its pods are known."""
        return self._nodes.get(name)

    def set_node(self, facts: NodeFacts) -> None:
        """A node was added or changed."""
        node = self._nodes.setdefault(facts.name, NodeInfo(facts.name))
        if node.facts is None:
            self._usable = None
        node.facts = facts

    def drop_node(self, name: str) -> None:
        """A node was deleted; its pods stay counted until they are deleted."""
        node = self._nodes.get(name)
        if node is not None:
            node.facts = None
            self._usable = None
            self._sweep(node)

    def set_pod(self, pod: PodInfo) -> None:
        """Counts a bound pod on its node. This confirms an assumed pod."""
        self._assumed.discard(pod.uid)
        self._place(pod, pod.node_name)

    def assume(self, pod: PodInfo, node: str) -> None:
        """Counts a pod on a node before its binding is committed."""
        self._assumed.add(pod.uid)
        self._place(pod, node)

    def forget(self, uid: str) -> None:
        """The binding failed: drops the pod, unless the cache has confirmed it meanwhile."""
        if uid in self._assumed:
            self.drop_pod(uid)

    def is_assumed(self, uid: str) -> bool:
        return uid in self._assumed

    def drop_pod(self, uid: str) -> bool:
        """A pod was deleted or finished. Returns whether it was counted on a node."""
        self._assumed.discard(uid)
        place = self._places.pop(uid, None)
        if place is None:
            return False
        node = self._nodes[place]
        pod = node.pods[uid]
        node.remove(uid)
        self._by_namespace[pod.namespace].pop(uid)
        if not self._by_namespace[pod.namespace]:
            del self._by_namespace[pod.namespace]
        self._sweep(node)
        return True

    def set_selector(self, kind: str, namespace: str, name: str, selector: Mapping[str, str]) -> None:
        """Sets the selector of a service or controller, whose pods are to be spread; an empty one removes it."""
        selectors = self._selectors.setdefault(namespace, {})
        selectors.pop((kind, name), None)
        if selector:
            selectors[kind, name] = selector
        if not selectors:
            del self._selectors[namespace]

    def spread_of(self, pod: PodInfo) -> Spread:
        """How the pods of this pod's services and controllers are spread now, without terminating ones."""
        selectors = [s for s in self._selectors.get(pod.namespace, {}).values() if _selects(s, pod.labels)]
        counts: dict[str, int] = {}
        if selectors:
            for other in self._by_namespace.get(pod.namespace, {}).values():
                if not other.terminating and any(_selects(selector, other.labels) for selector in selectors):
                    place = self._places[other.uid]
                    counts[place] = counts.get(place, 0) + 1
        return Spread.of(counts)

    def _place(self, pod: PodInfo, name: str) -> None:
        earlier = self._places.get(pod.uid)
        if earlier is not None and earlier != name:
            self._nodes[earlier].remove(pod.uid)
            self._sweep(self._nodes[earlier])
        self._nodes.setdefault(name, NodeInfo(name)).add(pod)
        self._places[pod.uid] = name
        self._by_namespace.setdefault(pod.namespace, {})[pod.uid] = pod

    def _sweep(self, node: NodeInfo) -> None:
        """Forgets a node that is deleted and has no pods."""
        if node.facts is None and not node.pods:
            self._nodes.pop(node.name, None)


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())
