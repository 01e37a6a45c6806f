"""What the scheduler knows of a pod and of a node: numbers and sets, computed once when the object changes.

Owns the meaning of requests, defaults and host ports. Does not decide anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from master.api.kinds.affinity import NodeSelector
from master.api.kinds.container import Container
from master.api.kinds.node import Node
from master.api.kinds.pod import Pod
from master.api.quantity import bytes_of, millis_of

# What LeastRequested counts for a container that asks for nothing, as Kubernetes does: else such pods would all land
# on one node.
DEFAULT_CPU_MILLIS = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
DEFAULT_MAX_PODS = 110

ANY_ADDRESS = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port that a pod takes on its node's own address."""

    address: str
    protocol: str
    port: int

    def clashes_with(self, other: HostPort) -> bool:
        """Whether both cannot be had on one node; the address 0.0.0.0 stands for all of them."""
        return (
            self.port == other.port
            and self.protocol == other.protocol
            and (self.address == other.address or ANY_ADDRESS in (self.address, other.address))
        )


@dataclass(frozen=True, slots=True)
class Request:
    """CPU and memory asked for."""

    cpu_millis: int = 0
    memory_bytes: int = 0

    def __add__(self, other: Request) -> Request:
        return Request(self.cpu_millis + other.cpu_millis, self.memory_bytes + other.memory_bytes)

    def __sub__(self, other: Request) -> Request:
        return Request(self.cpu_millis - other.cpu_millis, self.memory_bytes - other.memory_bytes)

    def at_least(self, other: Request) -> Request:
        """The larger one of each."""
        return Request(max(self.cpu_millis, other.cpu_millis), max(self.memory_bytes, other.memory_bytes))


@dataclass(frozen=True, slots=True)
class PodInfo:
    """One pod. `request` is what it asks for, `weight` the same with defaults where it asks for nothing."""

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    node_name: str = ""
    request: Request = Request()
    weight: Request = Request()
    host_ports: frozenset[HostPort] = frozenset()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_affinity: NodeSelector | None = None
    terminating: bool = False

    @classmethod
    def of(cls, pod: Pod) -> PodInfo:
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        return cls(
            uid=pod.metadata.uid,
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            labels=pod.metadata.labels,
            node_name=pod.spec.node_name,
            request=pod_request(pod, default=Request()),
            weight=pod_request(pod, default=Request(DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_BYTES)),
            host_ports=frozenset(host_ports(pod)),
            node_selector=pod.spec.node_selector,
            node_affinity=affinity.required_during_scheduling_ignored_during_execution if affinity else None,
            terminating=bool(pod.metadata.deletion_timestamp),
        )


def pod_request(pod: Pod, *, default: Request) -> Request:
    """All containers together, or the largest init container (they run before, one by one), and the overhead."""
    total = Request()
    for container in pod.spec.containers:
        total += container_request(container, default=default)
    for container in pod.spec.init_containers:
        total = total.at_least(container_request(container, default=default))
    return total + Request(millis_of(pod.spec.overhead.get("cpu", "0")), bytes_of(pod.spec.overhead.get("memory", "0")))


def container_request(container: Container, *, default: Request) -> Request:
    """A container's requests; a limit stands for a request that is not given, else the default does."""
    requests = {**container.resources.limits, **container.resources.requests}
    return Request(
        millis_of(requests["cpu"]) if "cpu" in requests else default.cpu_millis,
        bytes_of(requests["memory"]) if "memory" in requests else default.memory_bytes,
    )


def host_ports(pod: Pod) -> Iterable[HostPort]:
    """The ports taken on the node; with host network every container port is one."""
    for container in pod.spec.containers:
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                yield HostPort(port.host_ip or ANY_ADDRESS, port.protocol or "TCP", number)


def finished(pod: Pod) -> bool:
    """Whether the pod's containers have ended for good: it holds no resources any more."""
    return pod.status.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What matters of a Node object."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Request = Request()
    max_pods: int = DEFAULT_MAX_PODS
    ready: bool = True
    unschedulable: bool = False

    @classmethod
    def of(cls, node: Node) -> NodeFacts:
        room = node.status.allocatable or node.status.capacity
        return cls(
            name=node.metadata.name,
            labels=node.metadata.labels,
            allocatable=Request(millis_of(room.get("cpu", "0")), bytes_of(room.get("memory", "0"))),
            max_pods=bytes_of(room["pods"]) if "pods" in room else DEFAULT_MAX_PODS,
            ready=any(c.type == "Ready" and c.status == "True" for c in node.status.conditions),
            unschedulable=node.spec.unschedulable,
        )


class NodeInfo:
    """One node and the pods on it, with their sums kept as pods come and go."""

    __slots__ = ("facts", "host_ports", "name", "pods", "requested", "weight")

    def __init__(self, name: str, facts: NodeFacts | None = None) -> None:
        self.name = name
        # None while pods are bound to a node that does not exist (yet, or any more).
        self.facts = facts
        self.pods: dict[str, PodInfo] = {}
        self.requested = Request()
        self.weight = Request()
        self.host_ports: Counter[HostPort] = Counter()

    def add(self, pod: PodInfo) -> None:
        """Counts a pod; one that is there already is replaced."""
        self.remove(pod.uid)
        self.pods[pod.uid] = pod
        self.requested += pod.request
        self.weight += pod.weight
        self.host_ports.update(pod.host_ports)

    def remove(self, uid: str) -> None:
        """Forgets a pod, if it is there."""
        pod = self.pods.pop(uid, None)
        if pod is None:
            return
        self.requested -= pod.request
        self.weight -= pod.weight
        for port in pod.host_ports:
            self.host_ports[port] -= 1
            if not self.host_ports[port]:
                del self.host_ports[port]
