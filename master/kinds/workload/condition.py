"""The condition in the status of workloads, which has the same fields for most of their kinds."""

from __future__ import annotations

from master.objects.meta import Model, always
from master.objects.scalars import Time


class WorkloadCondition(Model, frozen=True, kw_only=True):
    """One aspect of the state, such as ReplicaFailure. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""
