"""Tolerations without those that another one includes."""

from __future__ import annotations

from collections.abc import Sequence

from master.kinds.core.pod.affinity import Toleration


def merged(tolerations: Sequence[Toleration]) -> tuple[Toleration, ...]:
    """The tolerations in their order, of which none is included in another. Of equal ones the first stays."""
    kept: list[Toleration] = []
    for index, each in enumerate(tolerations):
        earlier = any(_includes(other, each) for other in kept)
        if not earlier and not any(other != each and _includes(other, each) for other in tolerations[index + 1 :]):
            kept.append(each)
    return tuple(kept)


def _includes(wide: Toleration, narrow: Toleration) -> bool:
    """Whether `wide` tolerates all taints that `narrow` tolerates, and as long."""
    if wide == narrow:
        return True
    if narrow.key != wide.key and (wide.key or wide.operator != "Exists"):
        return False
    if wide.effect not in ("", narrow.effect):
        return False
    if wide.effect == "NoExecute" and wide.toleration_seconds is not None:
        seconds = narrow.toleration_seconds
        if seconds is None or seconds > wide.toleration_seconds:
            return False
    if wide.operator in ("", "Equal"):
        return narrow.operator == "Equal" and narrow.value == wide.value
    return wide.operator == "Exists"
