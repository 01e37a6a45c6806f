"""Pods and nodes as the scheduler sees them: numbers and sets, computed once when the object changes.

Owns the meaning of requests, defaults and host ports. Decides nothing.
"""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import msgspec

from master.kinds.core.node import Node
from master.kinds.core.pod.affinity import NodeSelector
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.sidecars import is_sidecar, lasting
from master.schema.quantity import bytes_of, millis_of

# LeastRequested counts this for a container without requests, as Kubernetes does. Otherwise all such pods would land on
# one node.
DEFAULT_CPU_MILLIS = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
DEFAULT_MAX_PODS = 110

ANY_ADDRESS = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port that a pod uses on its node's own address."""

    address: str
    protocol: str
    port: int

    def clashes_with(self, other: HostPort) -> bool:
        """Whether one node cannot have both; the address 0.0.0.0 stands for all addresses."""
        return (
            self.port == other.port
            and self.protocol == other.protocol
            and (self.address == other.address or ANY_ADDRESS in (self.address, other.address))
        )


# Resources other than cpu and memory with their amounts, sorted by name. Most pods have none.
Others = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Requested amounts. `others` has ephemeral storage in bytes, huge pages in bytes, and extended resources."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    others: Others = ()

    @classmethod
    def of(cls, quantities: Mapping[str, str], default: Request | None = None) -> Request:
        """The amounts of a list of resources. Where it lacks cpu or memory, those of `default`. Pods do not count."""
        default = default or Request()
        others: Others = ()
        if not quantities.keys() <= _COUNTED_APART:
            amounts = ((name, bytes_of(text)) for name, text in quantities.items() if name not in _COUNTED_APART)
            others = tuple(sorted((name, amount) for name, amount in amounts if amount))
        return cls(
            millis_of(quantities["cpu"]) if "cpu" in quantities else default.cpu_millis,
            bytes_of(quantities["memory"]) if "memory" in quantities else default.memory_bytes,
            others,
        )

    def __add__(self, other: Request) -> Request:
        return Request(
            self.cpu_millis + other.cpu_millis,
            self.memory_bytes + other.memory_bytes,
            _combined(self.others, other.others, operator.add),
        )

    def __sub__(self, other: Request) -> Request:
        return Request(
            self.cpu_millis - other.cpu_millis,
            self.memory_bytes - other.memory_bytes,
            _combined(self.others, other.others, operator.sub),
        )

    def at_least(self, other: Request) -> Request:
        """The larger amount of both, for each resource."""
        return Request(
            max(self.cpu_millis, other.cpu_millis),
            max(self.memory_bytes, other.memory_bytes),
            _combined(self.others, other.others, max),
        )


_COUNTED_APART = frozenset({"cpu", "memory", "pods"})


def _combined(left: Others, right: Others, combine: Callable[[int, int], int]) -> Others:
    if not left and not right:
        return ()
    mine, theirs = dict(left), dict(right)
    names = sorted(mine.keys() | theirs.keys())
    amounts = ((name, combine(mine.get(name, 0), theirs.get(name, 0))) for name in names)
    return tuple((name, amount) for name, amount in amounts if amount)


# Python makes a new object for each empty frozenset of a generator.
_NO_PORTS: Final[frozenset[HostPort]] = frozenset()


class PodInfo(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A pod. `request` is what it requests; `weight` is the same, with defaults where it requests nothing.

    There is one for each pod on a node. So what many pods have in common is kept once, and Python's garbage collector
    does not visit them: they are in no cycle of references.
    """

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    node_name: str = ""
    request: Request = Request()
    weight: Request = Request()
    host_ports: frozenset[HostPort] = frozenset()
    node_selector: Mapping[str, str] = msgspec.field(default_factory=dict)
    node_affinity: NodeSelector | None = None
    volume_nodes: tuple[NodeSelector, ...] = ()
    """For each of its volumes that are not on every node: the nodes on which it is. Set while it is being placed."""
    terminating: bool = False

    @classmethod
    def of(cls, pod: Pod) -> PodInfo:
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        return cls(
            uid=pod.metadata.uid,
            namespace=sys.intern(pod.metadata.namespace),
            name=pod.metadata.name,
            labels=_common_mapping(pod.metadata.labels),
            node_name=sys.intern(pod.spec.node_name),
            request=_common_request(pod_request(pod, default=Request())),
            weight=_common_request(pod_request(pod, default=Request(DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_BYTES))),
            host_ports=frozenset(host_ports(pod)) or _NO_PORTS,
            node_selector=_common_mapping(pod.spec.node_selector),
            node_affinity=affinity.required_during_scheduling_ignored_during_execution if affinity else None,
            terminating=bool(pod.metadata.deletion_timestamp),
        )


def _common_mapping(mapping: Mapping[str, str]) -> Mapping[str, str]:
    """An equal mapping that other pods have too."""
    return _mapping(tuple(mapping.items()))


@lru_cache(maxsize=4096)
def _mapping(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(pairs)


@lru_cache(maxsize=4096)
def _common_request(request: Request) -> Request:
    """An equal request that other pods have too."""
    return request


def pod_request(pod: Pod, *, default: Request) -> Request:
    """What the pod needs at the same time, plus its overhead (PodRequests of Kubernetes).

    The containers and sidecars run together. The other init containers run one by one, each beside the sidecars that
    started before it. `default` counts for each container without requests.
    """
    total = sidecars = largest = Request()
    for container in pod.spec.containers:
        total += container_request(container, default=default)
    for container in pod.spec.init_containers:
        request = container_request(container, default=default)
        if is_sidecar(container):
            total += request
            sidecars += request
            largest = largest.at_least(sidecars)
        else:
            largest = largest.at_least(request + sidecars)
    return total.at_least(largest) + Request.of(pod.spec.overhead)


def container_request(container: Container, *, default: Request) -> Request:
    """A container's requests. A limit replaces a missing request; without both, `default` counts."""
    return Request.of({**container.resources.limits, **container.resources.requests}, default)


def host_ports(pod: Pod) -> Iterable[HostPort]:
    """The ports that the pod uses on its node; with host network these are all container ports."""
    for container in lasting(pod.spec):
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                yield HostPort(port.host_ip or ANY_ADDRESS, port.protocol or "TCP", number)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The properties of a node that matter for scheduling."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Request = Request()
    max_pods: int = DEFAULT_MAX_PODS
    ready: bool = True
    unschedulable: bool = False

    @classmethod
    def of(cls, node: Node) -> NodeFacts:
        allocatable = node.status.allocatable or node.status.capacity
        return cls(
            name=node.metadata.name,
            labels=node.metadata.labels,
            allocatable=Request.of(allocatable),
            max_pods=bytes_of(allocatable["pods"]) if "pods" in allocatable else DEFAULT_MAX_PODS,
            ready=any(c.type == "Ready" and c.status == "True" for c in node.status.conditions),
            unschedulable=node.spec.unschedulable,
        )


class NodeInfo:
    """A node and the pods on it, with sums that are updated as pods come and go."""

    __slots__ = ("facts", "host_ports", "name", "pods", "requested", "weight")

    def __init__(self, name: str, facts: NodeFacts | None = None) -> None:
        self.name = name
        # None while pods are bound to a node that does not exist yet, or any more.
        self.facts = facts
        self.pods: dict[str, PodInfo] = {}
        self.requested = Request()
        self.weight = Request()
        self.host_ports: Counter[HostPort] = Counter()

    def add(self, pod: PodInfo) -> None:
        """Counts a pod; replaces an earlier state of the same pod."""
        self.remove(pod.uid)
        self.pods[pod.uid] = pod
        self.requested += pod.request
        self.weight += pod.weight
        self.host_ports.update(pod.host_ports)

    def remove(self, uid: str) -> None:
        """Stops counting a pod, if it is counted."""
        pod = self.pods.pop(uid, None)
        if pod is None:
            return
        self.requested -= pod.request
        self.weight -= pod.weight
        for port in pod.host_ports:
            self.host_ports[port] -= 1
            if not self.host_ports[port]:
                del self.host_ports[port]
