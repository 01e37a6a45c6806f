"""What a deletion does to an object: nothing yet, a mark, or its end. Pure decisions, no I/O.

Pods go in two phases: marked with a deadline first, gone when their node has reported that nothing is
left. Finalizers hold any object. Namespaces are held by spec.finalizers until they are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec.structs import replace

from master.api.kinds import EVENT, NAMESPACE, POD
from master.api.kinds.pod import Pod
from master.objects.kind import KindSpec
from master.objects.meta import Object, timestamp

# Longer than anybody waits, and short enough for a date to be reckoned with it.
_LONGEST_GRACE_S = (1 << 31) - 1
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
Propagation = Literal["", "Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a client may say about a deletion."""

    grace_period_s: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"


def marked(kind: KindSpec[Any], obj: Any, options: DeleteOptions, now: datetime, *, node_exists: bool) -> Any | None:
    """The object as it stands while it is being deleted, or None when nothing holds it and it goes at once."""
    grace = pod_grace(obj, options, node_exists=node_exists) if kind is POD else 0
    # Events own nothing and are many: the garbage collector does not look at them.
    propagation = "Background" if kind is EVENT else options.propagation
    finalizers = _finalizers(obj.metadata.finalizers, propagation)
    if not finalizers and grace == 0 and not (kind is NAMESPACE and obj.spec.finalizers):
        return None
    metadata = replace(obj.metadata, finalizers=finalizers)
    if not obj.metadata.deletion_timestamp or grace < (obj.metadata.deletion_grace_period_seconds or 0):
        metadata = replace(
            metadata,
            deletion_timestamp=timestamp(now + timedelta(seconds=grace)),
            deletion_grace_period_seconds=grace,
        )
    obj = replace(obj, metadata=metadata)
    if kind is NAMESPACE:
        obj = replace(obj, status=replace(obj.status, phase="Terminating"))
    return obj


def pod_grace(pod: Pod, options: DeleteOptions, *, node_exists: bool) -> int:
    """Seconds that the pod's containers get, 0: it goes at once. A second deletion may shorten, never lengthen it."""
    if not pod.spec.node_name or not node_exists:
        return 0
    grace = options.grace_period_s
    if grace is None:
        grace = pod.spec.termination_grace_period_seconds
    grace = 30 if grace is None else min(max(grace, 0), _LONGEST_GRACE_S)
    if pod.metadata.deletion_timestamp:
        grace = min(grace, pod.metadata.deletion_grace_period_seconds or 0)
    # A spec that asks for no grace is not a force deletion: the node still has something to clear away.
    return max(grace, 1) if options.grace_period_s is None and not pod.metadata.deletion_timestamp else grace


def _finalizers(have: tuple[str, ...], propagation: str) -> tuple[str, ...]:
    kept = tuple(name for name in have if name not in (ORPHAN, FOREGROUND))
    if propagation == "Orphan":
        return (*kept, ORPHAN)
    if propagation == "Foreground":
        return (*kept, FOREGROUND)
    return kept


def released(kind: KindSpec[Any], obj: Object) -> bool:
    """Whether an update has taken away the last thing that held an object which is being deleted."""
    metadata = obj.metadata
    if not metadata.deletion_timestamp or metadata.finalizers:
        return False
    if kind is NAMESPACE:
        return not obj.spec.finalizers  # type: ignore[attr-defined]
    # A pod with grace left waits for its node.
    return kind is not POD or not metadata.deletion_grace_period_seconds
