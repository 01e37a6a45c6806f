"""The replication controller's decisions: which pods it owns, which to delete first, its status. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from master import kinds
from master.component.podstate import AnyPod, controller_of, is_active, is_ready, ready_since, selects
from master.kinds.core.pod.model import Pod
from master.kinds.core.replicationcontroller import (
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from master.objects.meta import ObjectMeta, OwnerReference, parse_time, timestamp

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
REPLICA_FAILURE = "ReplicaFailure"
FIRST_PAUSE_S = 10.0
"""The pause after a node has refused a pod; it doubles with each further one that exists."""
LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True)
class Claims:
    """The active pods that concern a controller."""

    # Owned by the controller and matched by its selector.
    owned: tuple[AnyPod, ...]
    # Matched and without a controller: to be adopted.
    orphans: tuple[AnyPod, ...]
    # Owned and not matched any more: to be released.
    strays: tuple[AnyPod, ...]


def claims(rc: ReplicationController, pods: Iterable[AnyPod]) -> Claims:
    """Sorts the pods of the controller's namespace into owned ones, orphans and strays."""
    owned: list[AnyPod] = []
    orphans: list[AnyPod] = []
    strays: list[AnyPod] = []
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
    """The reference from a pod to its controller."""
    return OwnerReference(
        api_version="v1",
        kind=kinds.REPLICATIONCONTROLLER.kind,
        name=rc.metadata.name,
        uid=rc.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def adopted(pod: Pod, rc: ReplicationController) -> Pod | None:
    """The pod with the controller as an owner; None when it can no longer be adopted."""
    free = controller_of(pod.metadata) is None and is_active(pod)
    if not free or not selects(rc.spec.selector, pod.metadata.labels):
        return None
    owners = (*pod.metadata.owner_references, owner_reference(rc))
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def released(pod: Pod, rc: ReplicationController) -> Pod | None:
    """The pod without this controller among its owners; None when it is not owned by it."""
    owners = tuple(owner for owner in pod.metadata.owner_references if owner.uid != rc.metadata.uid)
    if owners == pod.metadata.owner_references:
        return None
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=owners))


def new_pod(rc: ReplicationController) -> Pod:
    """A pod from the controller's template; the API generates its name. Raises ValueError without a template."""
    template = rc.spec.template
    if template is None:
        raise ValueError("a replication controller without a template cannot create pods")
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


def surplus(pods: Sequence[AnyPod], count: int) -> list[AnyPod]:
    """The `count` pods to delete when there are too many, the least useful first, in Kubernetes' order.

    Unbound before bound; Pending before Unknown before Running; not ready before ready; on a node with more of these
    pods before one with fewer; ready for a shorter time; more restarts; newer.
    """
    on_node = Counter(pod.spec.node_name for pod in pods)

    def rank(pod: AnyPod) -> tuple[bool, int, bool, int, float, int, float]:
        since = ready_since(pod)
        restarts = max((status.restart_count for status in pod.status.container_statuses), default=0)
        created = pod.metadata.creation_timestamp
        return (
            bool(pod.spec.node_name),
            _PHASES.get(pod.status.phase, 0),
            is_ready(pod),
            -on_node[pod.spec.node_name],
            -since.timestamp() if since else 0.0,
            -restarts,
            -parse_time(created).timestamp() if created else 0.0,
        )

    return sorted(pods, key=rank)[:count]


def batches(count: int, *, largest: int = 64) -> list[int]:
    """How many pods to create at a time: 1, 2, 4 ... so that a pod which the API refuses fails once, not 500 times."""
    sizes: list[int] = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size = min(size * 2, largest)
    return sizes


def pause_s(rc: ReplicationController, pods: Iterable[Pod], now: datetime) -> float:
    """Seconds until the controller may create a pod, because nodes have refused its pods; 0 without a refused one.

    A node refuses a pod within milliseconds, so that without a pause one wrong template would fill the store.
    """
    refused = [
        parse_time(pod.metadata.creation_timestamp)
        for pod in pods
        if _was_refused(pod) and (owner := controller_of(pod.metadata)) is not None and owner.uid == rc.metadata.uid
    ]
    if not refused:
        return 0.0
    doublings = min(len(refused) - 1, 16)
    pause = min(FIRST_PAUSE_S * (1 << doublings), LONGEST_PAUSE_S)
    left = (max(refused) - now).total_seconds() + pause
    # Not longer after the clock was set back.
    return min(max(0.0, left), pause)


def _was_refused(pod: Pod) -> bool:
    """Whether the pod failed on its node before it had a container."""
    status = pod.status
    return status.phase == "Failed" and bool(status.reason) and not status.container_statuses


def status_of(
    rc: ReplicationController, pods: Sequence[AnyPod], *, now: datetime, failure: str
) -> ReplicationControllerStatus:
    """The status for the controller's active pods. `failure`: why pods could not be created, or empty."""
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


def available_in(pod: AnyPod, rc: ReplicationController, now: datetime) -> float | None:
    """Seconds until the pod is available (ready for minReadySeconds): 0 when it is, None when it is not ready."""
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
