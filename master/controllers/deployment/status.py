"""The status of a deployment: its numbers and conditions, and whether its rollout makes progress. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.component.moments import Age
from master.controllers.deployment.rollout import Rollout, size
from master.controllers.workload.counts import REPLICA_FAILURE
from master.kinds.apps.deployment import Deployment, DeploymentCondition, DeploymentStatus
from master.kinds.apps.replicaset import ReplicaSet
from master.objects.meta import parse_time, timestamp
from master.objects.scalars import MAX_INT32

AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
# Reasons of the condition Progressing. kubectl and other programs know them.
CREATED: Final = "NewReplicaSetCreated"
NOT_CREATED: Final = "ReplicaSetCreateError"
FOUND: Final = "FoundNewReplicaSet"
UPDATED: Final = "ReplicaSetUpdated"
DONE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
RESUMED: Final = "DeploymentResumed"


def condition_of(status: DeploymentStatus, type_: str) -> DeploymentCondition | None:
    """The condition of this type, if there is one."""
    return next((condition for condition in status.conditions if condition.type == type_), None)


def with_condition(
    status: DeploymentStatus, type_: str, value: str, reason: str, *, message: str, now: datetime, touch: bool = False
) -> DeploymentStatus:
    """The status with a condition. With the same value and reason, it stays as it is.

    `touch`: it gets a new message and the time of this update all the same.
    """
    before = condition_of(status, type_)
    if before is not None and (before.status, before.reason) == (value, reason) and not touch:
        return status
    same = before is not None and before.status == value
    condition = DeploymentCondition(
        type=type_,
        status=value,
        reason=reason,
        message=message,
        last_update_time=timestamp(now),
        last_transition_time=before.last_transition_time if before is not None and same else timestamp(now),
    )
    return replace(without_condition(status, type_), conditions=(*_others(status, type_), condition))


def without_condition(status: DeploymentStatus, type_: str) -> DeploymentStatus:
    return replace(status, conditions=_others(status, type_))


def _others(status: DeploymentStatus, type_: str) -> tuple[DeploymentCondition, ...]:
    return tuple(condition for condition in status.conditions if condition.type != type_)


def deadline_s(deployment: Deployment) -> int | None:
    """The seconds within which a rollout must make progress; None: it may take forever."""
    seconds = deployment.spec.progress_deadline_seconds
    return None if seconds == MAX_INT32 else seconds


def with_pause(deployment: Deployment, now: datetime) -> DeploymentStatus:
    """The status which says that the deployment is paused or resumed: a pause does not count as lack of progress."""
    status = deployment.status
    known = condition_of(status, PROGRESSING)
    if deadline_s(deployment) is None or (known is not None and known.reason == TIMED_OUT):
        return status
    says_paused = known is not None and known.reason == PAUSED
    if deployment.spec.paused and not says_paused:
        return with_condition(status, PROGRESSING, "Unknown", PAUSED, message="Deployment is paused", now=now)
    if says_paused and not deployment.spec.paused:
        return with_condition(status, PROGRESSING, "Unknown", RESUMED, message="Deployment is resumed", now=now)
    return status


def counted(rollout: Rollout, before: DeploymentStatus, now: datetime) -> DeploymentStatus:
    """The status with the numbers of all replica sets, and whether enough pods are available."""
    sets, new = rollout.all, rollout.new
    available = sum(rs.status.available_replicas for rs in sets)
    terminating = [rs.status.terminating_replicas for rs in sets]
    status = replace(
        before,
        observed_generation=rollout.deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets),
        updated_replicas=new.status.replicas if new is not None else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in sets),
        available_replicas=available,
        unavailable_replicas=max(sum(map(size, sets)) - available, 0),
        terminating_replicas=None if None in terminating else sum(number or 0 for number in terminating),
    )
    if available >= rollout.replicas - rollout.unavailable:
        value, reason, text = "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        value, reason, text = "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    return with_condition(status, AVAILABLE, value, reason, message=text, now=now)


def observed(rollout: Rollout, before: DeploymentStatus, now: datetime, age: Age) -> DeploymentStatus:
    """The status during a rollout: with its numbers, its progress, and the failures of its replica sets.

    `before` is the status until now, whose numbers show what is new.
    """
    status = _with_progress(rollout, before, counted(rollout, before, now), now, age)
    failure = _failure(((rollout.new,) if rollout.new else ()), rollout.old)
    if failure is None:
        return without_condition(status, REPLICA_FAILURE)
    known = condition_of(status, REPLICA_FAILURE)
    if known is not None and (known.status, known.reason) == (failure.status, failure.reason):
        return status
    return replace(status, conditions=(*_others(status, REPLICA_FAILURE), failure))


def _failure(*groups: Iterable[ReplicaSet]) -> DeploymentCondition | None:
    """The first failure of a replica set, as a condition of the deployment."""
    for rs in (rs for group in groups for rs in group):
        for condition in rs.status.conditions:
            if condition.type == REPLICA_FAILURE:
                return DeploymentCondition(
                    type=REPLICA_FAILURE,
                    status=condition.status,
                    reason=condition.reason,
                    message=condition.message,
                    last_update_time=condition.last_transition_time,
                    last_transition_time=condition.last_transition_time,
                )
    return None


def _with_progress(
    rollout: Rollout, before: DeploymentStatus, status: DeploymentStatus, now: datetime, age: Age
) -> DeploymentStatus:
    """The status with the condition Progressing. The last rollout is not judged again once it was complete."""
    deployment, known = rollout.deployment, condition_of(before, PROGRESSING)
    if deadline_s(deployment) is None:
        return without_condition(status, PROGRESSING)
    if status.replicas == status.updated_replicas and known is not None and known.reason == DONE:
        return status
    name = f'ReplicaSet "{rollout.new.metadata.name}"' if rollout.new else f'Deployment "{deployment.metadata.name}"'
    if _is_complete(rollout, status):
        text = f"{name} has successfully progressed."
        return with_condition(status, PROGRESSING, "True", DONE, message=text, now=now)
    if _progresses(before, status):
        text = f"{name} is progressing."
        return with_condition(status, PROGRESSING, "True", UPDATED, message=text, now=now, touch=True)
    if _is_late(deployment, known, age):
        text = f"{name} has timed out progressing."
        return with_condition(status, PROGRESSING, "False", TIMED_OUT, message=text, now=now)
    return status


def _is_complete(rollout: Rollout, status: DeploymentStatus) -> bool:
    return status.updated_replicas == status.replicas == status.available_replicas == rollout.replicas


def _progresses(before: DeploymentStatus, status: DeploymentStatus) -> bool:
    old_before, old_now = before.replicas - before.updated_replicas, status.replicas - status.updated_replicas
    return (
        status.updated_replicas > before.updated_replicas
        or old_now < old_before
        or status.ready_replicas > before.ready_replicas
        or status.available_replicas > before.available_replicas
    )


def _is_late(deployment: Deployment, known: DeploymentCondition | None, age: Age) -> bool:
    seconds = deadline_s(deployment)
    if known is None or seconds is None or known.reason == DONE:
        return False
    if known.reason == TIMED_OUT:
        return True
    return bool(known.last_update_time) and age(parse_time(known.last_update_time)) > seconds


def check_in(rollout: Rollout, status: DeploymentStatus, age: Age) -> float | None:
    """Seconds until the rollout is late unless it makes progress; None when nothing is to be observed."""
    seconds, known = deadline_s(rollout.deployment), condition_of(status, PROGRESSING)
    if seconds is None or known is None or known.reason == TIMED_OUT or _is_complete(rollout, status):
        return None
    if not known.last_update_time:
        return None
    # Times in a status have whole seconds.
    return max(seconds - age(parse_time(known.last_update_time)), 0.0) + 1
