"""How much of the node's resources a whole pod requests, and how much it may use. Pure.

Owns Kubernetes' rule for the sum over containers (PodRequests and PodLimits, without the overhead of runtime classes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.model import Container, Pod, Resources, RestartPolicy


@dataclass(frozen=True, slots=True)
class Amount:
    """Processor time in thousandths of a core; memory and the node's disk in bytes."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.cpu_millis + other.cpu_millis,
            self.memory_bytes + other.memory_bytes,
            self.disk_bytes + other.disk_bytes,
        )

    def at_least(self, other: Amount) -> Amount:
        """The larger one of each resource."""
        return Amount(
            max(self.cpu_millis, other.cpu_millis),
            max(self.memory_bytes, other.memory_bytes),
            max(self.disk_bytes, other.disk_bytes),
        )


def requests_of(pod: Pod) -> Amount:
    """What the pod requests at the same time."""
    return _sum(
        pod, lambda of: Amount(of.cpu_request_millis, of.memory_request_bytes, of.ephemeral_storage_request_bytes)
    )


def limits_of(pod: Pod) -> Amount:
    """The sum of the limits. Containers without a limit count for nothing, as in Kubernetes."""
    return _sum(pod, lambda of: Amount(of.cpu_limit_millis, of.memory_limit_bytes, of.ephemeral_storage_limit_bytes))


def memory_limit_of(pod: Pod) -> int:
    """The memory in bytes that the pod can use at most; 0: there is no such limit, as a container has none."""
    limited = all(container.resources.memory_limit_bytes for container in pod.planned_containers)
    return limits_of(pod).memory_bytes if limited else 0


def _sum(pod: Pod, amount: Callable[[Resources], Amount]) -> Amount:
    """Init containers run one by one, each beside the sidecars before it."""
    total = sidecars = largest = Amount()
    for container in pod.containers:
        total += amount(container.resources)
    for container in pod.init_containers:
        own = amount(container.resources)
        if _is_sidecar(container):
            total += own
            sidecars += own
        else:
            largest = largest.at_least(own + sidecars)
    return total.at_least(largest)


def _is_sidecar(container: Container) -> bool:
    return container.restart_policy is RestartPolicy.ALWAYS
