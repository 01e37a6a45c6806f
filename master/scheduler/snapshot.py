"""The scheduler's snapshot of the cluster, updated with each change of the cache.

Owns the nodes, the pods on them (bound and assumed) and the selectors for spreading pods. A pod is assumed while its
binding is in progress: it counts from the decision on, so that the next decision sees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from master.objects.labelselector import AnySelector, is_empty, matches
from master.scheduler.model import NodeFacts, NodeInfo, PodInfo
from master.scheduler.priorities import Spread

Labels = tuple[tuple[str, str], ...]


class Snapshot:
    """Nodes, pods and selectors. Not thread-safe: it is used on the event loop only, and no method awaits."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._usable: list[NodeInfo] | None = None
        # Pod uid to the name of the node on which the pod is counted.
        self._places: dict[str, str] = {}
        self._assumed: set[str] = set()
        # Namespace -> labels -> node -> number of pods that are not terminating. Many pods have the same labels.
        self._alike: dict[str, dict[Labels, Counter[str]]] = {}
        self._selectors: dict[str, dict[tuple[str, str], AnySelector]] = {}

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
        self._count(node.pods[uid], place, -1)
        node.remove(uid)
        self._sweep(node)
        return True

    def set_selector(self, kind: str, namespace: str, name: str, selector: AnySelector | None) -> None:
        """Sets the selector of a service or controller, whose pods are to be spread; an empty one removes it."""
        selectors = self._selectors.setdefault(namespace, {})
        selectors.pop((kind, name), None)
        if selector is not None and not is_empty(selector):
            selectors[kind, name] = selector
        if not selectors:
            del self._selectors[namespace]

    def spread_of(self, pod: PodInfo) -> Spread:
        """How the pods of this pod's services and controllers are spread now, without terminating ones."""
        selectors = [s for s in self._selectors.get(pod.namespace, {}).values() if matches(s, pod.labels)]
        counts: Counter[str] = Counter()
        if selectors:
            for pairs, on_nodes in self._alike.get(pod.namespace, {}).items():
                labels = dict(pairs)
                if any(matches(selector, labels) for selector in selectors):
                    counts.update(on_nodes)
        return Spread.of(counts)

    def _place(self, pod: PodInfo, name: str) -> None:
        earlier = self._places.get(pod.uid)
        if earlier is not None:
            self._count(self._nodes[earlier].pods[pod.uid], earlier, -1)
        if earlier is not None and earlier != name:
            self._nodes[earlier].remove(pod.uid)
            self._sweep(self._nodes[earlier])
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = NodeInfo(name)
        node.add(pod)
        self._places[pod.uid] = node.name
        self._count(pod, node.name, 1)

    def _count(self, pod: PodInfo, node: str, difference: int) -> None:
        """Counts a pod, or with -1 stops counting it, among those with the same labels."""
        if pod.terminating:
            return
        pairs = tuple(sorted(pod.labels.items()))
        in_namespace = self._alike.setdefault(pod.namespace, {})
        on_nodes = in_namespace.setdefault(pairs, Counter())
        on_nodes[node] += difference
        if not on_nodes[node]:
            del on_nodes[node]
        if not on_nodes:
            del in_namespace[pairs]
        if not in_namespace:
            del self._alike[pod.namespace]

    def _sweep(self, node: NodeInfo) -> None:
        """Forgets a node that is deleted and has no pods."""
        if node.facts is None and not node.pods:
            self._nodes.pop(node.name, None)
