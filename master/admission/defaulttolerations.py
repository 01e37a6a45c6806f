"""Pods stay for five minutes on a node that is not ready or unreachable, unless they say otherwise."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from master.api.pipeline.admission import Admission
from master.api.pipeline.attempt import Attempt
from master.kinds import POD
from master.kinds.core.pod.affinity import Toleration
from master.kinds.core.pod.inert import HEALTH_TAINTS
from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.strategy import SPECS

_SECONDS: Final = 300


class DefaultTolerations(Admission):
    """Adds the tolerations of the taints of a node's health that a pod lacks."""

    resources = (POD,)

    async def mutate(self, attempt: Attempt) -> None:
        # Also in an update, so that one from a manifest does not take them away.
        attempt.new = replace(attempt.new, spec=SPECS.changed(attempt.new.spec, tolerating))


def tolerating(spec: PodSpec) -> PodSpec:
    """The spec with the tolerations."""
    missing = [taint for taint in HEALTH_TAINTS if not any(_tolerates(each, taint) for each in spec.tolerations)]
    added = tuple(
        Toleration(key=taint, operator="Exists", effect="NoExecute", toleration_seconds=_SECONDS) for taint in missing
    )
    return replace(spec, tolerations=(*spec.tolerations, *added)) if added else spec


def _tolerates(toleration: Toleration, taint: str) -> bool:
    """Whether the pod says itself how long it stays. An empty key or effect stands for all."""
    return toleration.key in ("", taint) and toleration.effect in ("", "NoExecute")
