"""The subresource `status` of pods: which generation of the spec a status and its conditions are about.

Owns one rule: a client that writes a status without these numbers does not take them back. The condition Ready follows
the pod's readiness gates (readiness.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from master.kinds.core.pod.model import Pod, PodCondition, PodStatus
from master.kinds.core.pod.readiness import gated
from master.registry.subresource import METADATA, Part


def _take(new: Pod, old: Pod) -> Pod:
    return replace(old, status=_observed(new.status, old.status))


def _stamp(new: Pod, old: Pod, now: datetime) -> Pod:
    return replace(new, status=gated(new.spec, old.status, new.status, now))


def _observed(new: PodStatus, old: PodStatus) -> PodStatus:
    """The new status, where numbers that are missing are those of the old one."""
    known = {condition.type: condition.observed_generation for condition in old.conditions}
    conditions = tuple(_numbered(condition, known.get(condition.type, 0)) for condition in new.conditions)
    return replace(new, conditions=conditions, observed_generation=new.observed_generation or old.observed_generation)


def _numbered(condition: PodCondition, before: int) -> PodCondition:
    if condition.observed_generation or not before:
        return condition
    return replace(condition, observed_generation=before)


POD_STATUS: Final = Part("status", take=_take, attribute="status", stamp=_stamp, metadata=METADATA)
