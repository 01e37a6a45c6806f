"""The runtime class of a new pod: it must exist, and gives the pod its overhead and its rules of scheduling.

No node supports runtime classes yet: master/dispatch/security.py refuses the pod there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from master.admission.refusal import refused
from master.admission.tolerations import merged
from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import POD, RUNTIMECLASS
from master.kinds.core.pod.affinity import Toleration
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.strategy import SPECS
from master.schema.data import Untyped
from master.schema.quantity import parse

_Pairs = tuple[tuple[str, str], ...]
_DIFFERENT = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_UNDEFINED = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


@dataclass(frozen=True, slots=True)
class _Class:
    """What a class gives to its pods. `overhead`, `tolerations`: None if it defines no overhead, or no scheduling."""

    overhead: _Pairs | None
    node_selector: _Pairs
    tolerations: tuple[Toleration, ...] | None

    @classmethod
    def of(cls, obj: Untyped) -> _Class:
        overhead: dict[str, Any] | None = obj.content.get("overhead")
        scheduling: dict[str, Any] | None = obj.content.get("scheduling")
        tolerations = None if scheduling is None else scheduling.get("tolerations") or ()
        return cls(
            None if overhead is None else _pairs(overhead.get("podFixed") or {}),
            _pairs((scheduling or {}).get("nodeSelector") or {}),
            msgspec.convert(tolerations, tuple[Toleration, ...] | None),
        )


_NONE = _Class(None, (), None)


class RuntimeClasses(Admission):
    """Completes new pods from their runtime class, and refuses those that contradict it."""

    resources = (POD,)

    async def mutate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        if not attempt.creates(POD):
            return
        spec: PodSpec = attempt.new.spec
        if spec.runtime_class_name is None:
            return
        chosen = _class_of(attempt, spec.runtime_class_name)
        if spec.overhead and chosen.overhead is not None and not _same(spec.overhead, dict(chosen.overhead)):
            raise refused(attempt, _DIFFERENT)
        for key, value in chosen.node_selector:
            own = spec.node_selector.get(key, value)
            if own != value:
                why = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
                raise refused(attempt, f"conflict: {why}")
        attempt.new = replace(attempt.new, spec=SPECS.changed(spec, _completed, chosen))

    async def validate(self, attempt: Attempt) -> None:
        """Raises Forbidden."""
        if not attempt.creates(POD):
            return
        spec: PodSpec = attempt.new.spec
        name = spec.runtime_class_name
        if name is None and not spec.overhead:
            return
        chosen = _NONE if name is None else _class_of(attempt, name)
        if chosen.overhead is None and spec.overhead:
            raise refused(attempt, _UNDEFINED)
        if chosen.overhead is not None and not _same(spec.overhead, dict(chosen.overhead)):
            raise refused(attempt, _DIFFERENT)


def _class_of(attempt: Attempt, name: str) -> _Class:
    entry = attempt.cache.entry(RUNTIMECLASS, "", name)
    if entry is None:
        raise refused(attempt, f'pod rejected: RuntimeClass "{name}" not found')
    return _Class.of(entry.obj)


def _completed(spec: PodSpec, chosen: _Class) -> PodSpec:
    added = chosen.tolerations
    return replace(
        spec,
        overhead=spec.overhead if chosen.overhead is None else dict(chosen.overhead),
        node_selector={**spec.node_selector, **dict(chosen.node_selector)},
        tolerations=spec.tolerations if added is None else merged((*spec.tolerations, *added)),
    )


def _same(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """Whether two lists of resources have the same amounts, in whatever form."""
    if first.keys() != second.keys():
        return False
    try:
        return all(parse(amount) == parse(second[name]) for name, amount in first.items())
    except ValueError:
        # The validation of the pod names the text that is not a quantity.
        return True


def _pairs(values: Mapping[str, str]) -> _Pairs:
    return tuple(sorted(values.items()))
