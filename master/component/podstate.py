"""The state of a pod: whether it is active or ready, since when, and which controller owns it. Pure functions.

`PodState` is the part of a pod that the controllers of services and replicas read. Decoding it takes a quarter of the
time of the whole pod, and they read all pods of a service or controller when one of these has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from master.cache import Change, Entry
from master.cache.entry import MODIFIED
from master.kinds.core.pod.model import Pod, PodCondition
from master.kinds.workload.template import DELETION_COST
from master.objects.labelselector import AnySelector, is_empty, matches
from master.objects.meta import ObjectMeta, OwnerReference, json_name, parse_time, timestamp
from master.schema.partial import Meta
from master.schema.salvage import salvage

READY = "Ready"
POD_SCHEDULED = "PodScheduled"


class _Partial(msgspec.Struct, frozen=True, kw_only=True, rename=json_name, gc=False):
    """A part of one of the API's models. Each field has the name and meaning that it has there."""


class StateAnnotations(_Partial, frozen=True, kw_only=True):
    deletion_cost: str = msgspec.field(default="", name=DELETION_COST)


class StateMeta(_Partial, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: StateAnnotations = StateAnnotations()
    owner_references: tuple[OwnerReference, ...] = ()


class StatePort(_Partial, frozen=True, kw_only=True):
    name: str = ""
    container_port: int = 0
    protocol: str = ""


class StateContainer(_Partial, frozen=True, kw_only=True):
    ports: tuple[StatePort, ...] = ()
    restart_policy: str | None = None


class StateSpec(_Partial, frozen=True, kw_only=True):
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    init_containers: tuple[StateContainer, ...] = ()
    containers: tuple[StateContainer, ...] = ()


class StateContainerStatus(_Partial, frozen=True, kw_only=True):
    restart_count: int = 0


class StateCondition(_Partial, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""
    last_transition_time: str | None = None


class StateStatus(_Partial, frozen=True, kw_only=True):
    phase: str = ""
    reason: str = ""
    pod_ip: str = ""
    conditions: tuple[StateCondition, ...] = ()
    container_statuses: tuple[StateContainerStatus, ...] = ()


class PodState(_Partial, frozen=True, kw_only=True):
    """The part of a pod that decides whether it is a backend or a replica, and which one goes first."""

    metadata: StateMeta = StateMeta()
    spec: StateSpec = StateSpec()
    status: StateStatus = StateStatus()


AnyPod = Pod | PodState
_decoder = msgspec.json.Decoder(PodState)


def state_of(entry: Entry) -> PodState:
    """The state of a stored pod. A field of a wrong type counts as absent."""
    try:
        return _decoder.decode(entry.lean)
    except msgspec.ValidationError:
        return salvage(PodState, entry.lean)


def state_changed(change: Change) -> bool:
    """Whether a change of a pod concerns its state; most reports of agents do not."""
    return change.type != MODIFIED or change.before is None or state_of(change.before) != state_of(change.entry)


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def selects(selector: AnySelector | None, labels: Mapping[str, str]) -> bool:
    """Whether the selector of a service or workload matches the labels; an empty one matches nothing."""
    return not is_empty(selector) and matches(selector, labels)


def is_finished(pod: AnyPod) -> bool:
    """Whether all containers have ended and none will restart: the pod holds no resources any more."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: AnyPod) -> bool:
    """Whether the pod counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not pod.metadata.deletion_timestamp


def is_terminating(pod: AnyPod) -> bool:
    """Whether the pod is being deleted and its containers have not all ended."""
    return bool(pod.metadata.deletion_timestamp) and not is_finished(pod)


def condition_of(pod: Pod, type_: str) -> PodCondition | None:
    """The pod's condition of this type, if it has one."""
    return next((condition for condition in pod.status.conditions if condition.type == type_), None)


def _ready(pod: AnyPod) -> PodCondition | StateCondition | None:
    return next((condition for condition in pod.status.conditions if condition.type == READY), None)


def is_ready(pod: AnyPod) -> bool:
    """Whether the pod may receive traffic."""
    condition = _ready(pod)
    return condition is not None and condition.status == "True"


def ready_since(pod: AnyPod) -> datetime | None:
    """Since when the pod has been ready; None when it is not ready."""
    condition = _ready(pod)
    if condition is None or condition.status != "True":
        return None
    return parse_time(condition.last_transition_time) if condition.last_transition_time else _NEVER


def controller_of(meta: ObjectMeta | Meta | StateMeta) -> OwnerReference | None:
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
