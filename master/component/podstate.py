"""The state of a pod: whether it is active or ready, since when, and which controller owns it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from master.kinds.core.pod.model import Pod, PodCondition
from master.objects.meta import ObjectMeta, OwnerReference, parse_time, timestamp
from master.schema.partial import Meta

READY = "Ready"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an equality selector matches the labels; an empty selector matches nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def is_finished(pod: Pod) -> bool:
    """Whether all containers have ended and none will restart: the pod holds no resources any more."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Whether the pod counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not pod.metadata.deletion_timestamp


def condition_of(pod: Pod, type_: str) -> PodCondition | None:
    """The pod's condition of this type, if it has one."""
    return next((condition for condition in pod.status.conditions if condition.type == type_), None)


def is_ready(pod: Pod) -> bool:
    """Whether the pod may receive traffic."""
    condition = condition_of(pod, READY)
    return condition is not None and condition.status == "True"


def ready_since(pod: Pod) -> datetime | None:
    """Since when the pod has been ready; None when it is not ready."""
    condition = condition_of(pod, READY)
    if condition is None or condition.status != "True":
        return None
    return parse_time(condition.last_transition_time) if condition.last_transition_time else _NEVER


def controller_of(meta: ObjectMeta | Meta) -> OwnerReference | None:
    """The owner that manages the object: the reference marked `controller`, of which there is at most one."""
    return next((owner for owner in meta.owner_references if owner.controller), None)


def with_condition(pod: Pod, condition: PodCondition, now: datetime) -> Pod:
    """The pod with its condition of this type replaced; the transition time is kept when the status does not change."""
    before = condition_of(pod, condition.type)
    same = before is not None and before.status == condition.status
    since = before.last_transition_time if before is not None and same else timestamp(now)
    condition = msgspec.structs.replace(condition, last_transition_time=since)
    if before is None:
        conditions = (*pod.status.conditions, condition)
    else:
        conditions = tuple(condition if c.type == condition.type else c for c in pod.status.conditions)
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=conditions))
