"""Predicates: may this pod run on this node? Each returns the reasons against it, or none when the pod may run.

Pure functions of (pod, node). The docstrings begin with the names of the Kubernetes documents. The reasons are those of
kube-scheduler, worded so that they can follow a number of nodes ("3 Insufficient cpu").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from master.kinds.core.pod.affinity import NodeSelectorRequirement, NodeSelectorTerm
from master.scheduler.model import NodeFacts, NodeInfo, PodInfo

Reasons = tuple[str, ...]
Predicate = Callable[[PodInfo, NodeInfo, NodeFacts], Reasons]

FITS: Reasons = ()


def node_is_ready(_pod: PodInfo, _node: NodeInfo, facts: NodeFacts) -> Reasons:
    """CheckNodeCondition: the node's Ready condition is True."""
    return FITS if facts.ready else ("node(s) were not ready",)


def node_is_schedulable(_pod: PodInfo, _node: NodeInfo, facts: NodeFacts) -> Reasons:
    """CheckNodeUnschedulable: nobody has cordoned the node."""
    return ("node(s) were unschedulable",) if facts.unschedulable else FITS


def host_name(pod: PodInfo, node: NodeInfo, _facts: NodeFacts) -> Reasons:
    """HostName: a pod that names a node runs only there."""
    return FITS if pod.node_name in ("", node.name) else ("node(s) didn't match the requested hostname",)


def pod_fits_resources(pod: PodInfo, node: NodeInfo, facts: NodeFacts) -> Reasons:
    """PodFitsResources: requested + pod <= allocatable for each resource, and the node takes one more pod.

    A resource that the pod does not request never counts as insufficient, however full the node is. A node has nothing
    of a resource that it does not report.
    """
    reasons = []
    if len(node.pods) + 1 > facts.max_pods:
        reasons.append("Too many pods")
    free = facts.allocatable - node.requested
    if pod.request.cpu_millis and pod.request.cpu_millis > free.cpu_millis:
        reasons.append("Insufficient cpu")
    if pod.request.memory_bytes and pod.request.memory_bytes > free.memory_bytes:
        reasons.append("Insufficient memory")
    if pod.request.others:
        amounts = dict(free.others)
        reasons += [f"Insufficient {name}" for name, amount in pod.request.others if amount > amounts.get(name, 0)]
    return tuple(reasons)


def pod_fits_host_ports(pod: PodInfo, node: NodeInfo, _facts: NodeFacts) -> Reasons:
    """PodFitsHostPorts: no other pod on the node uses a host port that this one needs."""
    if not pod.host_ports or not node.host_ports:
        return FITS
    clash = any(port.clashes_with(used) for port in pod.host_ports for used in node.host_ports)
    return ("node(s) didn't have free ports for the requested pod ports",) if clash else FITS


def match_node_selector(pod: PodInfo, _node: NodeInfo, facts: NodeFacts) -> Reasons:
    """MatchNodeSelector: the node has all labels of nodeSelector, and satisfies one term of the required affinity."""
    labels = facts.labels
    fits = all(labels.get(key) == value for key, value in pod.node_selector.items())
    if fits and pod.node_affinity is not None:
        fits = any(_term_holds(term, facts) for term in pod.node_affinity.node_selector_terms)
    return FITS if fits else ("node(s) didn't match node selector",)


def volumes_are_there(pod: PodInfo, _node: NodeInfo, facts: NodeFacts) -> Reasons:
    """CheckVolumeBinding: the node satisfies the node affinity of all volumes of the pod."""
    there = all(any(_term_holds(term, facts) for term in nodes.node_selector_terms) for nodes in pod.volume_nodes)
    return FITS if there else ("node(s) didn't match PersistentVolume's node affinity",)


def _term_holds(term: NodeSelectorTerm, facts: NodeFacts) -> bool:
    """Whether all requirements hold; an empty term matches nothing (Kubernetes API reference, NodeSelectorTerm)."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": facts.name}
    return _all_hold(term.match_expressions, facts.labels) and _all_hold(term.match_fields, fields)


def _all_hold(requirements: Iterable[NodeSelectorRequirement], values: Mapping[str, str]) -> bool:
    return all(_holds(requirement, values.get(requirement.key)) for requirement in requirements)


def _holds(requirement: NodeSelectorRequirement, value: str | None) -> bool:
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(requirement, value)
        case _:
            return False


def _compares(requirement: NodeSelectorRequirement, value: str | None) -> bool:
    """Gt and Lt compare integers; other values do not match."""
    try:
        left, right = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return left > right if requirement.operator == "Gt" else left < right
