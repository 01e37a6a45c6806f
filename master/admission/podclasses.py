"""The classes that a new pod may name: a priority class that exists, and no runtime class, because there is none."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from master.api.errors import Forbidden
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import POD

# The priorities of the classes that every cluster has.
_BUILT_IN: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


class PodClasses(Admission):
    """Sets the priority of the pod's priority class. Refuses pods with a class that does not exist."""

    async def mutate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        if attempt.request.resource is not POD or attempt.before is not None or attempt.new is None:
            return
        spec = attempt.new.spec
        if spec.runtime_class_name:
            raise _refused(attempt, f'pod rejected: RuntimeClass "{spec.runtime_class_name}" not found')
        name = spec.priority_class_name
        if not name:
            return
        priority = _BUILT_IN.get(name)
        if priority is None:
            raise _refused(attempt, f"no PriorityClass with name {name} was found")
        if spec.priority not in (None, priority):
            why = f"the integer value of priority ({spec.priority}) must not be provided in pod spec; priority class"
            raise _refused(attempt, f"{why} {name} has the value {priority}")
        attempt.new = replace(attempt.new, spec=replace(spec, priority=priority))


def _refused(attempt: Attempt, why: str) -> Forbidden:
    name = attempt.new.metadata.name or attempt.new.metadata.generate_name if attempt.new is not None else ""
    return Forbidden(f'pods "{name}" is forbidden: {why}', name=name, kind=POD.plural)
