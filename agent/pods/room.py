"""Whether the node has room and free ports for a pod: the kubelet's admission, for pods that no scheduler has placed.

No I/O. Owns the reasons, and the order in which pods get room.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from agent.amounts import Amount, requests_of
from agent.model import Desired, HostPort, Pod, PodUid
from agent.pods.admission import Refusal
from agent.pods.hostports import taken_ports
from agent.statuses import NO_CAPACITY, Capacity

# The reasons and messages of the kubelet.
_NO_PORT: Final = Refusal(
    "NodePorts",
    "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    final=True,
)
_SHUTDOWN: Final = Refusal("NodeShutdown", "Pod was rejected as the node is shutting down.", final=True)


class Room:
    """The room of the node. Each desired state is judged once for all its pods."""

    def __init__(self, capacity: Capacity, node_ports: Iterable[HostPort] = ()) -> None:
        self._capacity = capacity
        self._node_ports = tuple(node_ports)
        self._desired: Desired | None = None
        self._refused: dict[PodUid, Refusal] = {}
        self._admitted: frozenset[PodUid] = frozenset()
        self._closed = False

    def close(self) -> None:
        """The node is shutting down: it has no room for pods that have not begun."""
        self._closed = True

    def refusal(self, uid: PodUid, desired: Desired) -> Refusal | None:
        """Why there is no room for the pod; None if there is."""
        if self._closed:
            return _SHUTDOWN
        if desired is not self._desired:
            refused = without_room(
                desired.pods.values(), self._capacity, admitted=self._admitted, node_ports=self._node_ports
            )
            self._desired, self._refused = desired, refused
            self._admitted = frozenset(desired.pods.keys() - refused.keys())
        return self._refused.get(uid)


def without_room(
    pods: Iterable[Pod],
    capacity: Capacity,
    *,
    admitted: Container[PodUid] = frozenset(),
    node_ports: Iterable[HostPort] = (),
) -> dict[PodUid, Refusal]:
    """The pods for which the node has no room, or no port, beside older ones. Pods that have ended take none.

    Pods that were admitted before come first: the others arrived later, whenever they were created. `node_ports`: those
    that the node has for itself.
    """
    refused: dict[PodUid, Refusal] = {}
    used, count = Amount(), 0
    ports = list(node_ports)
    for pod in sorted(pods, key=lambda pod: (pod.uid not in admitted, pod.created_at, pod.uid)):
        if pod.ended_phase is not None:
            continue
        amount, wanted = requests_of(pod), taken_ports(pod)
        problem = _problem(amount, used, count, capacity)
        if problem is None and any(port.clashes_with(other) for port in wanted for other in ports):
            problem = _NO_PORT
        if problem is not None:
            refused[pod.uid] = problem
        else:
            used, count = used + amount, count + 1
            ports += wanted
    return refused


def _problem(amount: Amount, used: Amount, count: int, capacity: Capacity) -> Refusal | None:
    if capacity == NO_CAPACITY:
        return None
    for name, requested, taken, most in (
        ("pods", 1, count, capacity.pods),
        ("cpu", amount.cpu_millis, used.cpu_millis, capacity.cpu_millis),
        ("memory", amount.memory_bytes, used.memory_bytes, capacity.memory_bytes),
        ("ephemeral-storage", amount.disk_bytes, used.disk_bytes, capacity.ephemeral_storage_bytes),
    ):
        if requested and taken + requested > most:
            amounts = f"requested: {requested}, used: {taken}, capacity: {most}"
            return Refusal(f"OutOf{name}", f"Node didn't have enough resource: {name}, {amounts}", final=True)
    return None
