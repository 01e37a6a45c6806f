"""What all containers of a pod request together, and the sum of their limits, as limit ranges count them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from master.kinds.core.pod.container import ResourceRequirements
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.sidecars import is_sidecar
from master.schema.quantity import parse, total

# The resources that can be set for the pod as a whole, and then count instead of the sum. In LimitRanges only these do.
_OF_THE_POD: Final = ("cpu", "memory")


def pod_requests(spec: PodSpec) -> dict[str, str]:
    """The requests that the pod has at the same time, without its overhead. All must be quantities."""
    return _amounts(spec, lambda resources: resources.requests)


def pod_limits(spec: PodSpec) -> dict[str, str]:
    """The limits that the pod has at the same time. All must be quantities."""
    return _amounts(spec, lambda resources: resources.limits)


def _amounts(spec: PodSpec, of: Callable[[ResourceRequirements], Mapping[str, str]]) -> dict[str, str]:
    """The containers and sidecars run together. Each other init container runs beside the sidecars before it."""
    sums: dict[str, str] = {}
    sidecars: dict[str, str] = {}
    largest: dict[str, str] = {}
    for container in spec.containers:
        sums = _sum(sums, of(container.resources))
    for container in spec.init_containers:
        amounts = of(container.resources)
        if is_sidecar(container):
            sums, sidecars = _sum(sums, amounts), _sum(sidecars, amounts)
            largest = _largest(largest, sidecars)
        else:
            largest = _largest(largest, _sum(amounts, sidecars))
    sums = _largest(sums, largest)
    whole = {} if spec.resources is None else of(spec.resources)
    return {**sums, **{name: amount for name, amount in whole.items() if name in _OF_THE_POD}}


def _sum(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    added = {name: total(first[name], amount) if name in first else amount for name, amount in second.items()}
    return {**first, **added}


def _largest(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    more = {name: amount for name, amount in second.items() if name not in first or parse(amount) > parse(first[name])}
    return {**first, **more}
