"""What a replication controller has to do, as pure functions: whose pods are whose, which go first, its status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from master.api import kinds
from master.api.kinds.pod import Pod
from master.api.kinds.replicationcontroller import (
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from master.component.podstate import controller_of, is_active, is_ready, ready_since, selects
from master.objects.meta import ObjectMeta, OwnerReference, parse_time, timestamp

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
REPLICA_FAILURE = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Claims:
    """The pods around a controller. Only active ones."""

    # Its own: owned and matching.
    owned: tuple[Pod, ...]
    # Matching and nobody's: to be adopted.
    orphans: tuple[Pod, ...]
    # Owned and not matching any more: to be released.
    strays: tuple[Pod, ...]


def claims(rc: ReplicationController, pods: Iterable[Pod]) -> Claims:
    """Sorts the pods of the controller's namespace."""
    owned: list[Pod] = []
    orphans: list[Pod] = []
    strays: list[Pod] = []
    for pod in pods:
        if not is_active(pod):
            continue
        owner = controller_of(pod.metadata)
        matches = selects(rc.spec.selector, pod.metadata.labels)
        if owner is not None and owner.uid == rc.metadata.uid:
            (owned if matches else strays).append(pod)
        elif owner is None and matches:
            orphans.append(pod)
    return Claims(tuple(owned), tuple(orphans), tuple(strays))


def owner_reference(rc: ReplicationController) -> OwnerReference:
    """How a pod names its controller."""
    return OwnerReference(
        api_version="v1",
        kind=kinds.REPLICATIONCONTROLLER.kind,
        name=rc.metadata.name,
        uid=rc.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def adopted(pod: Pod, rc: ReplicationController) -> Pod | None:
    """The pod with its new owner; None when it is not to be had any more."""
    free = controller_of(pod.metadata) is None and is_active(pod)
    if not free or not selects(rc.spec.selector, pod.metadata.labels):
        return None
    owners = (*pod.metadata.owner_references, owner_reference(rc))
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def released(pod: Pod, rc: ReplicationController) -> Pod | None:
    """The pod without this owner; None when it is not its owner."""
    owners = tuple(owner for owner in pod.metadata.owner_references if owner.uid != rc.metadata.uid)
    if owners == pod.metadata.owner_references:
        return None
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def new_pod(rc: ReplicationController) -> Pod:
    """A pod of the controller's template; the API gives it a name."""
    template = rc.spec.template
    if template is None:
        raise ValueError("a replication controller without a template makes no pods")
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{rc.metadata.name}-",
            namespace=rc.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=(owner_reference(rc),),
        ),
        spec=template.spec,
    )


def surplus(pods: Sequence[Pod], count: int) -> list[Pod]:
    """Which pods go when there are too many, the least useful ones first, as Kubernetes ranks them.

    Not on a node before on one; Pending before Unknown before Running; not ready before ready; on a node with more of
    them before on one with fewer; ready for a shorter time; more restarts; newer.
    """
    crowd = Counter(pod.spec.node_name for pod in pods)

    def rank(pod: Pod) -> tuple[bool, int, bool, int, float, int, float]:
        since = ready_since(pod)
        restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
        created = pod.metadata.creation_timestamp
        return (
            bool(pod.spec.node_name),
            _PHASES.get(pod.status.phase, 0),
            is_ready(pod),
            -crowd[pod.spec.node_name],
            -since.timestamp() if since else 0.0,
            -restarts,
            -parse_time(created).timestamp() if created else 0.0,
        )

    return sorted(pods, key=rank)[:count]


def batches(count: int, *, largest: int = 64) -> list[int]:
    """How many to create at a time: 1, 2, 4 ... so that a pod which is refused is refused once and not 500 times."""
    sizes: list[int] = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size = min(size * 2, largest)
    return sizes


def status_of(
    rc: ReplicationController, pods: Sequence[Pod], *, now: datetime, failure: str
) -> ReplicationControllerStatus:
    """What is reported of the controller's own active pods; `failure` says why pods could not be made, or nothing."""
    template = rc.spec.template
    template_labels = template.metadata.labels if template else {}
    return ReplicationControllerStatus(
        replicas=len(pods),
        fully_labeled_replicas=sum(
            all(pod.metadata.labels.get(k) == v for k, v in template_labels.items()) for pod in pods
        ),
        ready_replicas=sum(is_ready(pod) for pod in pods),
        available_replicas=sum(available_in(pod, rc, now) == 0 for pod in pods),
        observed_generation=rc.metadata.generation,
        conditions=_conditions(rc, now=now, failure=failure),
    )


def available_in(pod: Pod, rc: ReplicationController, now: datetime) -> float | None:
    """Seconds until the pod counts as available: 0 when it does, None when it is not ready."""
    since = ready_since(pod)
    if since is None:
        return None
    left = since + timedelta(seconds=rc.spec.min_ready_seconds) - now
    return max(0.0, left.total_seconds()) if rc.spec.min_ready_seconds else 0.0


def _conditions(
    rc: ReplicationController, *, now: datetime, failure: str
) -> tuple[ReplicationControllerCondition, ...]:
    others = tuple(c for c in rc.status.conditions if c.type != REPLICA_FAILURE)
    if not failure:
        return others
    before = next((c for c in rc.status.conditions if c.type == REPLICA_FAILURE), None)
    since = before.last_transition_time if before else timestamp(now)
    condition = ReplicationControllerCondition(
        type=REPLICA_FAILURE, status="True", reason="FailedCreate", message=failure, last_transition_time=since
    )
    return (*others, condition)
