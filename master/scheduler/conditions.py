"""The condition that the scheduler writes into a pod that fits on no node."""

from __future__ import annotations

from datetime import datetime

from master.component.podstate import POD_SCHEDULED, condition_of, with_condition
from master.kinds.core.pod.model import Pod, PodCondition

UNSCHEDULABLE = "Unschedulable"


def unschedulable(pod: Pod, *, uid: str, message: str, now: datetime) -> Pod | None:
    """The pod with PodScheduled=False, reason Unschedulable; None when it has it, is bound or was replaced."""
    if pod.metadata.uid != uid or pod.spec.node_name:
        return None
    before = condition_of(pod, POD_SCHEDULED)
    if before is not None and (before.status, before.reason, before.message) == ("False", UNSCHEDULABLE, message):
        return None
    condition = PodCondition(
        type=POD_SCHEDULED,
        status="False",
        reason=UNSCHEDULABLE,
        message=message,
        observed_generation=pod.metadata.generation,
    )
    return with_condition(pod, condition, now)
