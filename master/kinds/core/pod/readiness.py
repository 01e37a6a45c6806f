"""The condition Ready of pods with readiness gates: all containers are ready, and so says each gate's own condition.

Owns the kubelet's reason and messages. The master computes it, in reports of nodes and in what other clients write into
a status, so that it is never out of step with the conditions. A pure function.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.kinds.core.pod.model import PodCondition, PodSpec, PodStatus
from master.objects.meta import timestamp

_READY: Final = "Ready"
_CONTAINERS: Final = "ContainersReady"


def gated(spec: PodSpec, old: PodStatus, new: PodStatus, now: datetime) -> PodStatus:
    """The new status of a pod, with the right condition Ready. It keeps the time of its last transition from `old`."""
    known = {condition.type: condition for condition in new.conditions}
    if not spec.readiness_gates or _CONTAINERS not in known:
        return new
    ready = _ready(spec, known)
    before = next((condition for condition in old.conditions if condition.type == _READY), None)
    since = before.last_transition_time if before is not None and before.status == ready.status else ""
    ready = replace(ready, last_transition_time=since or timestamp(now))
    if known.get(_READY) == ready:
        return new
    return replace(new, conditions=tuple({**known, _READY: ready}.values()))


def _ready(spec: PodSpec, known: Mapping[str, PodCondition]) -> PodCondition:
    containers = known[_CONTAINERS]
    if containers.status != "True":
        return replace(containers, type=_READY)
    problems = []
    for gate in spec.readiness_gates:
        condition = known.get(gate.condition_type)
        if condition is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif condition.status != "True":
            status = f'"{gate.condition_type}" is not "True", but {condition.status}'
            problems.append(f"the status of pod readiness gate {status}")
    if not problems:
        return replace(containers, type=_READY, reason="", message="")
    return replace(
        containers, type=_READY, status="False", reason="ReadinessGatesNotReady", message=", ".join(problems)
    )
