"""Pod: defaults, checks, the few mutable fields, and the quality-of-service class."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.kinds.core.pod.defaults import default_pod_spec
from master.kinds.core.pod.model import Pod, PodCondition, PodSpec, PodStatus
from master.kinds.core.pod.qos import qos_class
from master.kinds.core.pod.updates import check_spec_update
from master.kinds.core.pod.validation import check_new_pod, check_pod_spec
from master.objects.meta import timestamp
from master.registry.strategy import Keyspace, Strategy, keep_status
from master.schema.checks import Findings
from master.schema.interning import Interner

SPECS: Final = Interner[PodSpec]()
"""The specs of pods that come from templates. What is computed with it may depend on the spec alone."""


class PodStrategy(Strategy[Pod]):
    """A new pod is Pending. Only a few fields of its spec can be changed."""

    def default(self, obj: Pod) -> Pod:
        return replace(obj, spec=SPECS.changed(obj.spec, default_pod_spec))

    def for_create(self, obj: Pod, now: datetime) -> Pod:
        conditions = (_gated(now),) if obj.spec.scheduling_gates else ()
        return replace(obj, status=PodStatus(phase="Pending", conditions=conditions))

    def for_update(self, new: Pod, old: Pod, now: datetime) -> Pod:
        return keep_status(new, old)

    def allocate(self, obj: Pod, old: Pod | None, keyspace: Keyspace) -> Pod:
        if obj.status.qos_class:
            return obj
        return replace(obj, status=replace(obj.status, qos_class=SPECS.result(obj.spec, qos_class)))

    def check(self, obj: Pod, old: Pod | None, findings: Findings, keyspace: Keyspace) -> None:
        # A spec that was valid when it was written stays: a change of labels or finalizers does not check it again.
        if old is None or obj.spec != old.spec:
            SPECS.check(obj.spec, "spec", check_pod_spec, findings)
        if old is None:
            check_new_pod(obj.spec, findings)

    def check_update(self, new: Pod, old: Pod, findings: Findings) -> None:
        check_spec_update(new.spec, old.spec, findings)


def _gated(now: datetime) -> PodCondition:
    return PodCondition(
        type="PodScheduled",
        status="False",
        reason="SchedulingGated",
        message="Scheduling is blocked due to non-empty scheduling gates",
        last_transition_time=timestamp(now),
    )
