"""The status of a workload that keeps a number of pods: the numbers, and the condition of a failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from master.component.moments import Age
from master.component.podstate import AnyPod, is_ready
from master.controllers.workload.pods import available_in
from master.controllers.workload.workload import Workload
from master.kinds.workload.condition import WorkloadCondition
from master.objects.meta import timestamp

REPLICA_FAILURE: Final = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why pods could not be created or deleted. `reason`: FailedCreate or FailedDelete."""

    reason: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of active pods. `terminating` are not among them."""

    replicas: int
    fully_labeled: int
    ready: int
    available: int
    terminating: int

    @classmethod
    def of(cls, workload: Workload, pods: Sequence[AnyPod], terminating: int, age: Age) -> Counts:
        """The numbers of the workload's active pods."""
        template = workload.template
        wanted = template.metadata.labels.items() if template else ()
        return cls(
            replicas=len(pods),
            fully_labeled=sum(all(pod.metadata.labels.get(k) == v for k, v in wanted) for pod in pods),
            ready=sum(is_ready(pod) for pod in pods),
            available=sum(available_in(pod, workload.min_ready_s, age) == 0 for pod in pods),
            terminating=terminating,
        )


def conditions(
    before: tuple[WorkloadCondition, ...], failure: Failure | None, now: datetime
) -> tuple[WorkloadCondition, ...]:
    """The conditions with that of a failure, or without it. A failure that lasts keeps its first reason and time."""
    known = [condition for condition in before if condition.type == REPLICA_FAILURE]
    if failure is not None and known:
        return before
    others = tuple(condition for condition in before if condition.type != REPLICA_FAILURE)
    if failure is None:
        return others
    condition = WorkloadCondition(
        type=REPLICA_FAILURE,
        status="True",
        reason=failure.reason,
        message=str(failure.error),
        last_transition_time=timestamp(now),
    )
    return (*others, condition)
