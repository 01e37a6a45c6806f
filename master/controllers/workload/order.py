"""Which pods are deleted first when there are too many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from master.component.podstate import AnyPod, StateAnnotations, is_ready, ready_since
from master.kinds.workload.template import DELETION_COST, deletion_cost
from master.objects.meta import parse_time

_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def surplus(pods: Sequence[AnyPod], count: int, *, related: Iterable[AnyPod], now: datetime) -> list[AnyPod]:
    """The `count` pods to delete when there are too many, the least useful first, in Kubernetes' order.

    Unbound before bound; Pending before Unknown before Running; not ready before ready; with a lower deletion cost; on
    a node with more of the `related` pods (by default those themselves); ready for a shorter time; more restarts;
    newer. Times of the same order of magnitude count as equal.
    """
    on_node = Counter(pod.spec.node_name for pod in related)

    def rank(pod: AnyPod) -> tuple[bool, int, bool, int, int, int, int, int, str]:
        restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
        created = pod.metadata.creation_timestamp
        return (
            bool(pod.spec.node_name),
            _PHASES.get(pod.status.phase, 0),
            is_ready(pod),
            cost_of(pod),
            -on_node[pod.spec.node_name],
            _magnitude(ready_since(pod), now),
            -restarts,
            _magnitude(parse_time(created) if created else None, now),
            pod.metadata.uid,
        )

    return sorted(pods, key=rank)[:count]


def cost_of(pod: AnyPod) -> int:
    """The pod's deletion cost: an annotation; 0 without a valid one."""
    annotations = pod.metadata.annotations
    if isinstance(annotations, StateAnnotations):
        return deletion_cost(annotations.deletion_cost) or 0
    return deletion_cost(annotations.get(DELETION_COST, "")) or 0


def _magnitude(since: datetime | None, now: datetime) -> int:
    """The order of magnitude of the time since then, by powers of 2; -1 if it has not come."""
    if since is None:
        return -1
    nanoseconds = (now - since).total_seconds() * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds >= 1 else -1
