"""The priority class of a new pod: it must exist, and gives the pod its priority and preemption policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from master.admission.refusal import refused
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.cache import Cache, Entry
from master.kinds import POD, PRIORITYCLASS
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.strategy import SPECS


@dataclass(frozen=True, slots=True)
class _Class:
    """A priority class. `preemption_policy`: empty for the usual one."""

    name: str
    priority: int
    preemption_policy: str = ""


# The classes that every cluster has. Others cannot have such a name.
_BUILT_IN: Final = {
    name: _Class(name, priority)
    for name, priority in (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000))
}


# The values of a pod without a class, if there is no default class.
_NONE: Final = _Class("", 0)


class PodPriorities(Admission):
    """Sets the priority and preemption policy of the pod's priority class, or of the default class if it names none.

    Refuses pods with a class that does not exist, or with other values than those of their class.
    """

    resources = (POD,)

    async def mutate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        spec = attempt.new.spec
        if attempt.old is not None:
            attempt.new = replace(attempt.new, spec=_as_before(spec, attempt.old.spec))
            return
        name = spec.priority_class_name
        chosen = _named(attempt.cache, name) if name else _default(attempt.cache)
        if chosen is None:
            if name:
                raise refused(attempt, f"no PriorityClass with name {name} was found")
            chosen = _NONE
        policy = chosen.preemption_policy
        for given, computed, text in (
            (spec.priority, chosen.priority, "integer value of priority"),
            (spec.preemption_policy, policy or spec.preemption_policy, "string value of PreemptionPolicy"),
        ):
            if given not in (None, computed):
                why = f"the {text} ({given}) must not be provided in pod spec"
                cause = f"priority class {chosen.name} has" if chosen.name else "without a priority class it has"
                raise refused(attempt, f"{why}; {cause} the value {computed}")
        attempt.new = replace(attempt.new, spec=SPECS.changed(spec, _classified, chosen))


def _as_before(spec: PodSpec, old: PodSpec) -> PodSpec:
    """What an update leaves out stays as it was."""
    priority, policy = spec.priority, spec.preemption_policy
    if priority is not None and policy is not None:
        return spec
    return replace(
        spec,
        priority=old.priority if priority is None else priority,
        preemption_policy=old.preemption_policy if policy is None else policy,
    )


def _classified(spec: PodSpec, chosen: _Class) -> PodSpec:
    policy = chosen.preemption_policy or spec.preemption_policy or "PreemptLowerPriority"
    return replace(spec, priority_class_name=chosen.name, priority=chosen.priority, preemption_policy=policy)


def _named(cache: Cache, name: str) -> _Class | None:
    entry = cache.entry(PRIORITYCLASS, "", name)
    return _BUILT_IN.get(name) if entry is None else _class_of(entry)


def _default(cache: Cache) -> _Class | None:
    """The class of pods that name none. If there are several, the one with the lowest value, as in Kubernetes."""
    if not cache.count(PRIORITYCLASS):
        return None
    entries = [entry for entry in cache.entries(PRIORITYCLASS) if entry.obj.content.get("globalDefault")]
    return min((_class_of(entry) for entry in entries), key=lambda found: found.priority, default=None)


def _class_of(entry: Entry) -> _Class:
    content: dict[str, Any] = entry.obj.content
    return _Class(entry.name, content.get("value", 0), content.get("preemptionPolicy", ""))
