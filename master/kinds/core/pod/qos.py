"""The quality-of-service class of a pod (ComputePodQOS of Kubernetes)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from master.kinds.core.pod.model import PodSpec
from master.schema.quantity import parse

_COUNTED = ("cpu", "memory")


def qos_class(spec: PodSpec) -> str:
    """Guaranteed, Burstable or BestEffort. Only cpu and memory count, and only amounts above zero.

    BestEffort: no container has a request or limit. Guaranteed: each container has a limit for both, and the pod
    requests as much as its limits. Containers and init containers count alike.
    """
    requests: Counter[str] = Counter()
    limits: Counter[str] = Counter()
    all_limited = True
    for container in (*spec.init_containers, *spec.containers):
        requests.update(_amounts(container.resources.requests))
        own = _amounts(container.resources.limits)
        limits.update(own)
        all_limited = all_limited and len(own) == len(_COUNTED)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if all_limited and requests == limits else "Burstable"


def _amounts(quantities: Mapping[str, str]) -> dict[str, int]:
    """The amounts above zero in nano units, the smallest part of a quantity. Skips texts that are not quantities."""
    amounts = {name: _nanos(quantities[name]) for name in _COUNTED if name in quantities}
    return {name: amount for name, amount in amounts.items() if amount > 0}


@lru_cache(maxsize=4096)
def _nanos(text: str) -> int:
    try:
        return int(parse(text).scaleb(9))
    except ValueError:
        return 0
